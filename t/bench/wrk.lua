-- For wrk: one line of figures at the end, times in microseconds.
--
-- Arguments: a file of header lines to be sent along; a file of bodies to be posted, one a line, or "-"; a file of
-- Cookie values, one a line, or "-". Each request takes the next body and the next cookie.
local bodies, cookies, at = {}, {}, 0

local function lines_of(file)
    local lines = {}
    if file and file ~= "-" then
        for line in io.lines(file) do lines[#lines + 1] = line end
    end
    return lines
end

function init(args)
    for line in io.lines(args[1]) do
        local name, value = line:match("^([^:]+): (.*)$")
        if name then wrk.headers[name] = value end
    end
    bodies, cookies = lines_of(args[2]), lines_of(args[3])
    if #bodies > 0 then
        wrk.method = "POST"
        wrk.body = bodies[1]
        wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
    end
    if #bodies > 1 or #cookies > 0 then
        request = function()
            at = at + 1
            if #bodies > 0 then wrk.body = bodies[at % #bodies + 1] end
            if #cookies > 0 then wrk.headers["Cookie"] = cookies[at % #cookies + 1] end
            return wrk.format()
        end
    end
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format("FIGURES requests=%d us=%d refused=%d broken=%d p50=%d p99=%d\n", summary.requests,
        summary.duration, e.status, e.connect + e.read + e.write + e.timeout, latency:percentile(50),
        latency:percentile(99)))
end
