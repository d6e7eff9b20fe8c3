--- Failures as HTML. Each says by HX-Retarget and HX-Reswap where it belongs, so the page around it stays usable.
local page = require "web.pages.page"
local rules = require "kit.rules"

local problems = {}

local function placed(target, swap)
  return { ["HX-Retarget"] = target, ["HX-Reswap"] = swap }
end

--- A sentence in the corner; the screen stays as it is.
function problems.toast(failure, document, context)
  local markup = page.render("parts/toast", { text = document.detail, seconds = failure.retry_after_s }, context)
  return markup, placed("#toast", "innerHTML")
end

--- Wrong filters are told at their fields. A list that could not be had is replaced by a way to try again; going too
--- fast is only a toast.
function problems.list(failure, document, context)
  if failure.code == "rate_limited" then return problems.toast(failure, document, context) end
  if failure.code == "invalid_filter" then
    return page.render("filters/problem", { text = document.detail, fields = document.errors }, context),
      placed("#filters-problem", "innerHTML")
  end
  local markup = page.render("cargo/list_problem", { text = document.detail, is_feed = document.status == 502 }, context)
  return markup, placed("#results", "outerHTML")
end

--- In the sheet of a cargo.
function problems.sheet(failure, document, context)
  if failure.code == "rate_limited" then return problems.toast(failure, document, context) end
  return page.render("cargo/sheet_problem", { text = document.detail, gone_id = context.gone_id }, context),
    placed("#sheet", "innerHTML")
end

--- Instead of the app: one title, one sentence, one button.
function problems.edge(failure, document, context)
  local retry_s = document.status >= 429 and math.max(5, math.ceil(failure.retry_after_s or 0)) or nil
  return page.render("parts/edge", { text = document.detail, retry_s = retry_s, again = not retry_s }, context),
    placed("#app", "outerHTML")
end

-- Everything rests: the page says so and asks again by itself.
local function rest(failure, document, context)
  return page.render("parts/edge", {
    title = rules.texts.say("maintenance", context.language), text = document.detail,
    retry_s = math.ceil(failure.retry_after_s or 60),
  }, context)
end

--- A refusal of a plugin. A browser gets a page; the open app is told in a corner, or gives way while everything rests.
function problems.of_plugin(failure, document, context)
  local rests = document.code == "maintenance"
  if context.is_htmx then
    if not rests then return problems.toast(failure, document, context) end
    return rest(failure, document, context), placed("#app", "outerHTML")
  end
  if not rests then return problems.whole_page(failure, document, context) end
  local title = rules.texts.say("maintenance", context.language)
  return page.render("layout", { body = rest(failure, document, context), title = title }, context)
end

--- A page of its own, for a browser at an unknown address.
function problems.whole_page(_, document, context)
  local body = page.render("parts/edge", { text = document.detail, home = true }, context)
  return page.render("layout", { body = body, title = document.detail, plain = true }, context)
end

return problems
