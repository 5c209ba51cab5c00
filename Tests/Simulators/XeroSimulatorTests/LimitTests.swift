import JSON
import NIOHTTP1
import Testing
import XeroSimulator

@Suite(.timeLimit(.minutes(1))) struct LimitTests {
    @Test("the 61st call of any sixty seconds is refused with an empty body, and refused calls count")
    func minute() async throws {
        try await withSimulator(limits: .real) { world in
            // 40 calls in one minute of the clock, 20 in the next: the rolling window is full.
            world.time.advance(seconds: 50)
            for _ in 0..<40 {
                let status = try await world.call(.GET, "Organisation").status
                #expect(status == 200)
            }
            world.time.advance(seconds: 20)
            for _ in 0..<20 {
                let status = try await world.call(.GET, "Organisation").status
                #expect(status == 200)
            }
            let refused = try await world.call(.GET, "Organisation")
            #expect(refused.status == 429)
            #expect(refused.text.isEmpty)
            #expect(try refused.header("Content-Type") == nil)
            #expect(try refused.header("X-Rate-Limit-Problem") == "minute")
            #expect(try refused.header("X-MinLimit-Remaining") == "0")
            #expect(try refused.header("Retry-After") == "40")
            world.time.advance(seconds: 40)
            let next = try await world.call(.GET, "Organisation")
            #expect(next.status == 200)
            // 20, the refused one and this one.
            #expect(try next.header("X-MinLimit-Remaining") == "38")
            let counters = try await world.counters()
            #expect(counters["refused"]?["minute"]?.integer == 1)
            #expect(counters["mostInMinute"]?.integer == 61)
        }
    }

    @Test("the day's limit refuses with a wait until midnight")
    func day() async throws {
        try await withSimulator(limits: .real) { world in
            try await world.change(#""dayLimit":3"#)
            for left in ["2", "1", "0"] {
                #expect(try await world.call(.GET, "Organisation").header("X-DayLimit-Remaining") == left)
            }
            let refused = try await world.call(.GET, "Organisation")
            #expect(try refused.header("X-Rate-Limit-Problem") == "day")
            #expect(try refused.header("Retry-After") == "75600")
        }
    }

    @Test("the limit of the whole app counts over all organisations")
    func app() async throws {
        try await withSimulator(limits: .real, appMinuteLimit: 2) { world in
            var other = world
            other.tenantHeader = "5d1ac0de-0000-4000-8000-000000000002"
            #expect(try await world.call(.GET, "Organisation").status == 200)
            #expect(try await other.call(.GET, "Organisation").header("X-AppMinLimit-Remaining") == "0")
            let refused = try await world.call(.GET, "Organisation")
            #expect(try refused.header("X-Rate-Limit-Problem") == "appminute")
        }
    }

    @Test("the sixth call in flight is refused without a time to wait")
    func concurrent() async throws {
        try await withSimulator(limits: .real) { world in
            let held = #"{"match":{"path":"/api.xro/2.0/Accounts"},"action":{"hold":true},"count":5}"#
            _ = try await world.control(.POST, "faults", held)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<5 {
                    group.addTask {
                        try await world.call(.GET, "Accounts").status
                    }
                }
                while try await world.counters()["inFlight"]?.integer != 5 { await Task.yield() }
                let refused = try await world.call(.GET, "Accounts")
                #expect(refused.status == 429)
                #expect(try refused.header("X-Rate-Limit-Problem") == "concurrent")
                #expect(try refused.header("Retry-After") == nil)
                _ = try await world.control(.DELETE, "faults")
                for try await status in group { #expect(status == 200) }
            }
            #expect(try await world.counters()["mostInFlight"]?.integer == 5)
            #expect(try await world.call(.GET, "Accounts").status == 200)
        }
    }

    @Test("x<N> multiplies the limits, off lifts them, nonsense is refused")
    func scale() async throws {
        #expect(LimitScale("x20") == .times(20))
        #expect(LimitScale("off") == .off)
        #expect(LimitScale("real") == .times(1))
        #expect(LimitScale("x0") == nil)
        #expect(LimitScale("20") == nil)
        try await withSimulator(limits: .times(2)) { world in
            let reply = try await world.call(.GET, "Organisation")
            #expect(try reply.header("X-MinLimit-Remaining") == "119")
            #expect(try reply.header("X-DayLimit-Remaining") == "9999")
        }
        try await withSimulator(limits: .off) { world in
            for _ in 0..<70 {
                let status = try await world.call(.GET, "Organisation").status
                #expect(status == 200)
            }
        }
    }

    @Test("an unknown record is 404 with an empty HTML body")
    func notFound() async throws {
        try await withSimulator { world in
            for path in ["Invoices/nothing", "Payments/5d1ac0de-0000-4000-8000-00000000dead", "Nonsense"] {
                let reply = try await world.call(.GET, path)
                #expect(reply.status == 404)
                #expect(reply.text.isEmpty)
                #expect(try reply.header("Content-Type") == "text/html; charset=utf-8")
            }
        }
    }
}
