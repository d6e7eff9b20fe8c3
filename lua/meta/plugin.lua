---@meta plugin
-- What plugins/NAME/plugin.lua returns, and what its functions get. The guide is docs/plugins.md.

---@alias PluginStage "edge"|"auth"|"limit"|"rules"|"transform"|"observe"
---@alias PluginEvent "driver.authenticated"|"cargo.viewed"|"response.created"|"response.status_changed"|"payment.succeeded"|"payment.refunded"|"subscription.activated"|"subscription.expiring"|"promo.applied"|"rule.failed"|"reload.rejected"|"request.failed"

---@class PluginSpec
---@field name string                  that of its folder
---@field version string
---@field api integer                  1
---@field about? string                one sentence
---@field about_ru? string             the same for the panel
---@field stage PluginStage            where in the way of a request
---@field after? string[]              names of plugins that see a request before this one
---@field before? string[]             names of plugins that see it after this one
---@field on_error? "fail"|"skip"      a failure answers 503, or is passed over; default: fail for edge, auth and limit
---@field budget? {cpu_ms?: integer, wall_ms?: integer, mem_kb?: integer}  of one call; cpu_ms and mem_kb between two waits; the call then runs in a task of its own
---@field config? table<string, PluginSetting>
---@field needs? PluginNeed[]          what of host it uses; crypto, json, log, metrics and time are there unnamed
---@field start? fun(self: table, conf: table)  before the generation serves; an error refuses the reload. Again with a fresh self, on trial and in earnest, when settings change in the panel; an error refuses the change
---@field stop? fun(self: table, reason: string, conf: table)  reason: "retired", the generation has been told to end; "settings", this self is over as the settings changed, or were only tried
---@field on_request? fun(self: table, req: PluginRequest, conf: table): PluginAnswer?  an answer ends the way of the request
---@field on_response? fun(self: table, req: PluginRequest, res: Response, conf: table)  change res; from the last plugin to the first
---@field after_response? fun(self: table, req: PluginRequest, res: {status: integer, headers: table}, conf: table)  the bytes are out
---@field events? table<PluginEvent, fun(self: table, payload: table, conf: table, name: string)>
---@field jobs? PluginJob[]
---@field routes? PluginRoute[]
---@field deliver? fun(self: table, data: any, conf: table, attempt: {id: integer, attempt: integer, is_repeat: boolean}): any, table?  of what host.outbox.add queued; nil and a failure: try again, unless it says permanent = true
---@field admin? {status?: fun(self: table, conf: table): table}

---@alias PluginNeed "alerts"|"crypto"|"http"|"json"|"log"|"metrics"|"outbox"|"pg"|"redis"|"shared"|"task"|"telegram"|"time"|"timer"

---@class PluginSetting
---@field type "string"|"secret"|"url"|"integer"|"int"|"number"|"boolean"|"list"
---@field default? any
---@field required? boolean
---@field min? number                  of a number; of the length of a text or list
---@field max? number
---@field one_of? any[]
---@field doc? string
---@field doc_ru? string               the same for the form in the panel
---@field check? fun(value: any): string?   what is wrong with it

---@class PluginJob
---@field name string
---@field every string                 "30s", "5m", "1h", "1d"
---@field about? string
---@field run fun(self: table, conf: table): table?  by one process of the cluster at a time

---@class PluginRoute
---@field [1] string                   method
---@field [2] string                   path below /plugins/NAME
---@field access "public"|"optional"|"driver"
---@field handle fun(self: table, req: PluginRequest, conf: table): PluginAnswer?

---@class PluginAnswer
---@field status? integer
---@field headers? table<string, string>
---@field body? string|table           a table is sent as JSON
---@field problem? string              instead of a body: the code of a problem document
---@field detail? string|{ru: string, en: string}  its sentence, in both languages when it can
---@field retry_after_s? integer

---@class PluginRequest
---@field method string
---@field path string
---@field query_string string
---@field params table<string, string>
---@field body string
---@field id string
---@field address string
---@field scheme string
---@field host string
---@field route string?                the pattern; nil when none fits
---@field driver_id string?            known in on_response and later
---@field is_local boolean
---@field took_ms number|false         known in on_response and later
---@field ctx table                    what plugins tell each other: req.ctx[name]
local request = {}
---@param name string
---@return string?
function request:header(name) end
---@return string?
function request:cookie(name) end

---@class PluginOutbox
local outbox = {}
---Queue something for deliver(). Entries of one queue leave one after the other; without a name each goes by itself. Yields.
---@param entry {data: any, queue?: string}
---@return table? queued
---@return Failure? failure
function outbox.add(entry) end

---@class PluginTelegram
local telegram = {}
---One call of the Bot API. Yields.
---@param method string
---@param params table
---@return any result
---@return table? failure
function telegram.call(method, params) end

---@class PluginAlerts
local alerts = {}
---Tell people on duty; the same alert at most once in ten minutes.
---@param name string
---@param text string
---@param fields? table
function alerts.raise(name, text, fields) end

return { request = request, outbox = outbox, telegram = telegram, alerts = alerts }
