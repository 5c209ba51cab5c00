import Domain
import HTTP
import Kounta
import Testing

@Suite("The budget of calls to Kounta", .timeLimit(.minutes(1))) struct KountaBudgetTests {
    private let clock = ManualClock()

    private func budget(_ callsPerMinute: Int) -> KountaBudget {
        KountaBudget(callsPerMinute: callsPerMinute, now: { clock.now }, sleep: { clock.sleep($0) })
    }

    private func headers(_ values: [String: String]) -> HTTPHeaders {
        HTTPHeaders(values.map { HTTPHeaders.Entry(name: $0.key, value: $0.value) })
    }

    /// How long the next call waits.
    private func wait(
        of budget: KountaBudget, _ priority: KountaBudget.Priority = .newOrders
    ) async throws -> Duration {
        let before = clock.sleeps.count
        try await budget.take(priority)
        return clock.sleeps[before...].reduce(.zero, +)
    }

    @Test("sixty calls pass at once, the next waits until the oldest leaves the minute")
    func window() async throws {
        let budget = budget(60)
        for _ in 0..<60 {
            try await budget.take(.newOrders)
            clock.advance(.milliseconds(100))
        }
        #expect(clock.sleeps.isEmpty)
        let first = try await wait(of: budget)
        #expect(first >= .seconds(54) && first < .seconds(54) + .milliseconds(50))
        // The second call was a tenth of a second after the first, and so is the room it leaves.
        let second = try await wait(of: budget)
        #expect(second > .milliseconds(50) && second < .milliseconds(150))
        clock.advance(.seconds(61))
        for _ in 0..<60 { #expect(try await wait(of: budget) == .zero) }
        #expect(try await wait(of: budget) > .seconds(59))
    }

    @Test("in no minute are there more calls than allowed, whatever the pace")
    func neverMore() async throws {
        let budget = budget(7)
        var calls: [Instant] = []
        for step in 0..<100 {
            try await budget.take(step % 3 == 0 ? .rescan : .newOrders)
            calls.append(clock.now)
            clock.advance(.milliseconds(Int64(step * 977 % 9000)))
        }
        for (index, call) in calls.enumerated() {
            #expect(calls[...index].count { call.since($0) < .seconds(60) } <= 7)
        }
    }

    @Test("a re-scan leaves a quarter of the minute to new orders")
    func reserve() async throws {
        let budget = budget(60)
        for _ in 0..<45 { try await budget.take(.rescan) }
        #expect(clock.sleeps.isEmpty)
        for _ in 0..<15 { try await budget.take(.newOrders) }
        #expect(clock.sleeps.isEmpty)
        #expect(try await wait(of: budget, .rescan) >= .seconds(60))
    }

    @Test("the forty-sixth re-scan waits although there is room for new orders")
    func rescanWaits() async throws {
        let budget = budget(60)
        for _ in 0..<45 { try await budget.take(.rescan) }
        #expect(try await wait(of: budget, .rescan) >= .seconds(60))
    }

    @Test("even of one call a minute a re-scan gets its turn")
    func leastBudget() async throws {
        let budget = budget(1)
        #expect(try await wait(of: budget, .rescan) == .zero)
        #expect(try await wait(of: budget, .rescan) >= .seconds(60))
    }

    @Test("no limit of our own: nothing waits, but the service's refusal still counts")
    func unlimited() async throws {
        let budget = budget(0)
        for _ in 0..<500 { try await budget.take(.rescan) }
        #expect(clock.sleeps.isEmpty)
        await budget.correct(by: headers(["Retry-After": "3"]), status: 429)
        #expect(try await wait(of: budget) == .seconds(3))
    }

    @Test("a 429 without Retry-After waits for the reset, and is counted")
    func reset() async throws {
        let budget = budget(60)
        let reset = clock.now.adding(seconds: 23).secondsSince1970
        await budget.correct(by: headers(["x-ratelimit-reset": "\(reset)", "X-Ratelimit-Remaining": "0"]), status: 429)
        #expect(await budget.refused == 1)
        #expect(try await wait(of: budget) == .seconds(23))
        #expect(try await wait(of: budget) == .zero)
    }

    @Test("Retry-After wins over the reset; without either it is ten seconds")
    func hints() async throws {
        let first = budget(60)
        let reset = clock.now.adding(seconds: 50).secondsSince1970
        await first.correct(by: headers(["Retry-After": "4", "X-Ratelimit-Reset": "\(reset)"]), status: 429)
        #expect(try await wait(of: first) == .seconds(4))
        let second = budget(60)
        await second.correct(by: headers([:]), status: 429)
        #expect(try await wait(of: second) == .seconds(10))
        let third = budget(60)
        await third.correct(by: headers(["Retry-After": "soon"]), status: 429)
        #expect(try await wait(of: third) == .seconds(10))
    }

    @Test("an answer that says nothing remains parks the company before a 429 does")
    func nothingRemains() async throws {
        let budget = budget(60)
        let reset = "\(clock.now.adding(seconds: 9).secondsSince1970)"
        await budget.correct(by: headers(["X-Ratelimit-Remaining": "1", "X-Ratelimit-Reset": reset]), status: 200)
        #expect(try await wait(of: budget) == .zero)
        await budget.correct(by: headers(["X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": reset]), status: 200)
        #expect(await budget.refused == 0)
        #expect(try await wait(of: budget) == .seconds(9))
    }

    @Test("an absurd reset is a wrong clock: two minutes at most, a second at least")
    func absurdReset() async throws {
        let far = budget(60)
        let nextYear = clock.now.adding(seconds: 365 * 86_400).secondsSince1970
        await far.correct(by: headers(["X-Ratelimit-Reset": "\(nextYear)"]), status: 429)
        #expect(try await wait(of: far) == .seconds(120))
        let past = budget(60)
        await past.correct(by: headers(["X-Ratelimit-Reset": "12"]), status: 429)
        #expect(try await wait(of: past) == .seconds(1))
    }

    @Test("a figure beyond any clock does not stop the process", arguments: ["Retry-After", "X-Ratelimit-Reset"])
    func beyondAnyClock(header: String) async {
        await #expect(processExitsWith: .success) { [header] in
            let time = Instant(secondsSince1970: 1_790_000_000)
            let budget = KountaBudget(callsPerMinute: 60, now: { time }, sleep: { _ in })
            let entry = HTTPHeaders.Entry(name: header, value: "\(Int64.max)")
            await budget.correct(by: HTTPHeaders([entry]), status: 429)
        }
    }
}
