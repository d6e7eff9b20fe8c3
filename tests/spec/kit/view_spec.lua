local view = require "kit.view"
local page = require "web.pages.page"

describe("kit.view", function()
  it("escapes everything that can leave a text or an attribute", function()
    assert.equal("&lt;b&gt; &amp; &quot;x&quot; &#39;y&#39;", view.escape [[<b> & "x" 'y']])
    assert.equal("", view.escape(nil))
    assert.equal("", view.escape(host.json.null))
    assert.equal("12", view.escape(12))
  end)

  it("leaves trusted HTML alone", function()
    assert.equal("<b>", view.escape(view.html "<b>"))
  end)

  it("escapes hostile names in a card", function()
    local card = { id = "7", price = "—", rate = "", facts = "", tags = {}, loading_display = "", unloading_display = "",
      route = { from = '<script>alert("1")</script>', to = "" } }
    local html = view.escape(page.render("cargo/card", { card = card }, { language = "ru" }))
    assert.is_nil(html:find("<script>", 1, true))
    assert.truthy(html:find("&lt;script&gt;alert(&quot;1&quot;)", 1, true))
  end)

  it("names hashed static files", function()
    assert.truthy(view.static_url("app.css"):find "^/static/app%.%x%x%x%x%x%x%x%x%.css$")
  end)

  it("says which template is missing", function()
    local ok, problem = pcall(view.render, "nothing/there", {})
    assert.is_false(ok)
    assert.truthy(problem:find("lua/web/views/nothing/there.html", 1, true))
  end)

  it("has no inline script, style or handler in any template", function()
    for _, path in ipairs(host.script.list "lua/web/views") do
      local source = host.script.read(path)
      assert.is_nil(source:find "<style", path)
      assert.is_nil(source:find " style=", path)
      assert.is_nil(source:find " on%a+=", path)
      assert.is_nil(source:find "hx%-on", path)
      assert.is_nil(source:find "<script>", path)
    end
  end)
end)
