--- `fura plugins`: what is loaded, in the order requests meet it, and why in that order.
local listing = require "tool.listing"
local plugins = require "services.plugins"

local function settings_of(plugin)
  local text = host.json.encode(plugin.config, { sorted = true })
  return text == "{}" and "" or "\n   settings   " .. text
end

local function health_of(plugin, is_running)
  if not is_running then return "" end
  local line = ("\n   errors     %d in the worker asked"):format(plugin.errors)
  if plugin.stopped then line = line .. ", left out at the moment" end
  if plugin.is_off then line = line .. "\n   off        switched off: fura settings unset plugins." .. plugin.name end
  if plugin.refused then line = line .. "\n   not used   stored settings: " .. plugin.refused end
  if plugin.last_error then line = line .. "\n   last error " .. plugin.last_error end
  if plugin.status then line = line .. "\n   status     " .. host.json.encode(plugin.status, { sorted = true }) end
  return line
end

local function describe(index, plugin, is_running)
  return ("%d. %s %s  %s\n   why here   %s\n   on error   %s\n   hooks      %s%s%s"):format(index, plugin.name, plugin.version,
    plugin.about, plugin.why, plugin.on_error, table.concat(plugin.hooks, ", "), settings_of(plugin), health_of(plugin, is_running))
end

return {
  about = "Plugins in use: their order and why, their settings and errors.",
  usage = "plugins [--json]",

  --- @param args string[]
  --- @param context {json: boolean, call: function}
  --- @return integer exit_status
  run = function(args, context)
    if #args > 0 then
      return 2
    end
    local running = context.call("plugins.list", {})
    print(listing(context, running or plugins.about(), {
      line = function(plugin, index) return describe(index, plugin, running ~= nil) end,
      empty = "no plugins: name some in the setting plugins of the conf file",
    }))
    return 0
  end,
}
