-- For wrk: one line of figures at the end, times in microseconds.
--
-- Arguments: a file of header lines to be sent along, a file with a body to be posted (or "-"), and a file of
-- Cookie values, one a line, of which each request takes the next (or nothing).
local cookies, at = {}, 0

function init(args)
    for line in io.lines(args[1]) do
        local name, value = line:match("^([^:]+): (.*)$")
        if name then wrk.headers[name] = value end
    end
    if args[2] and args[2] ~= "-" then
        wrk.method = "POST"
        wrk.body = io.open(args[2]):read("*a")
        wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
    end
    if args[3] then
        for line in io.lines(args[3]) do cookies[#cookies + 1] = line end
        at = math.random(#cookies)
        request = function()
            at = at % #cookies + 1
            wrk.headers["Cookie"] = cookies[at]
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
