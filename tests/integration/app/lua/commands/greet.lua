--- `fura greet NAME`: a command that the application brings; with --server the running server says it.
local answers = require "answers"

return {
  about = "greet somebody",
  usage = "greet NAME [--server]",

  run = function(args, context)
    if not args[1] then
      io.stderr:write("usage: fura greet NAME [--server]\n")
      return 2
    end
    if args[2] ~= "--server" then
      print(answers.greeting .. ", " .. args[1])
      return 0
    end
    local reply, problem = context.call("greet", { name = args[1] })
    if not reply then return nil, problem end
    print(reply.text)
  end,
}
