-- Removes the fields that Connection names, which are for this hop alone
-- (RFC 9110 7.6.1). It runs only if a field is named there that HAProxy does
-- not handle by itself.
local kept = { ["host"] = true, ["content-length"] = true, ["transfer-encoding"] = true,
  ["close"] = true, ["keep-alive"] = true, ["upgrade"] = true, ["te"] = true, ["via"] = true }

local function strip(get, del, add)
  local lines = get()["connection"]
  local upgrade = false
  if lines == nil then return end
  for _, line in pairs(lines) do
    for name in string.gmatch(string.lower(line), "[^,%s]+") do
      if name == "upgrade" then upgrade = true end
      if not kept[name] then del(name) end
    end
  end
  del("connection")
  if upgrade then add("connection", "upgrade") end
end

core.register_action("hop_by_hop", { "http-req" }, function(txn)
  local http = txn.http
  strip(function() return http:req_get_headers() end,
    function(name) http:req_del_header(name) end,
    function(name, value) http:req_add_header(name, value) end)
end)

core.register_action("hop_by_hop", { "http-res" }, function(txn)
  local http = txn.http
  strip(function() return http:res_get_headers() end,
    function(name) http:res_del_header(name) end,
    function(name, value) http:res_add_header(name, value) end)
end)
