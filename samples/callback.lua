local kept = {}

local function answer(text)
  local name, value = text:match("^set (%S+) (.*)$")
  if name then
    kept[name] = value
    return "ok"
  end
  name = text:match("^get (%S+)$")
  return name and kept[name] or "nothing"
end

function ksr_evapi_event(event)
  local own = "client-" .. KSR.pv.getvn("$evapi(conidx)", -1)
  if event == "evapi:connection-new" then
    KSR.evapi.set_tag(own)
  elseif event == "evapi:message-received" then
    KSR.evapi.relay_unicast(answer(KSR.pv.get("$evapi(msg)")), own)
  end
end

function ksr_request_route()
  KSR.sl.send_reply(405, "Method Not Allowed")
end
