import Domain
import Messaging
import Postgres
import Setbacks
@testable import Store
import Testing
import Xero

@testable import Writing

struct CourseTests {
    private struct Broken: Error, CustomStringConvertible { let description = "the database is away" }

    private static func course(
        _ outcome: XeroOutcome, tries: Int = 0, permille: Int = 1000, attempt: Int = 0, isRepeatable: Bool = false
    ) -> Course? {
        Course.Trouble(outcome, isRepeatable: isRepeatable).map {
            settled(Course.of($0, tries: tries, permille: permille), permille: permille, attempt: attempt)
        }
    }

    /// With what becomes of a message that failed so often, where it is put off.
    private static func settled(_ course: Course, permille: Int, attempt: Int = 0) -> Course {
        guard case .putOff(let putOff) = course else { return course }
        return .settle(putOff.fate(of: Course.Way(attempt: attempt), permille: permille).verdict(about: .init()))
    }

    @Test("a lost connection is asked again at once, three times with full jitter, then goes to the delay queues")
    func unclear() {
        func again(_ tries: Int, _ permille: Int) -> Duration? {
            if case .again(let after, _) = Self.course(.unknown("timed out"), tries: tries, permille: permille) {
                return after
            }
            return nil
        }
        #expect((0...2).map { again($0, 1000) } == [0.5, 1, 2].map { Duration.seconds($0) })
        #expect(again(1, 500) == .milliseconds(500))
        #expect(again(2, 0) == .milliseconds(50))
        #expect(again(.min, 1000) == .milliseconds(500))
        #expect(again(3, 1000) == nil)
        let later = Course.settle(.retry(after: .seconds(5), counted: true, cause: "timed out"))
        #expect(Self.course(.unknown("timed out"), tries: 3) == later)
        #expect(Self.course(.unknown("timed out"), tries: .max) == later)
    }

    @Test("a 5xx or 408 goes to the delay queues at once, with full jitter, further each time, and at last to the desk")
    func failed() {
        let seconds = [5, 30, 120, 600, 3600, 21_600]
        for (attempt, most) in seconds.enumerated() {
            for permille in [0, 250, 1000] {
                let wanted = Verdict.retry(
                    after: .seconds(most) * permille / 1000, counted: true, cause: "500: no reason given")
                let course = Self.course(.unknown("500: no reason given"), permille: permille, attempt: attempt)
                #expect(course == .settle(wanted))
            }
        }
        let slow = Course.settle(.retry(after: .seconds(5), counted: true, cause: "408: slow"))
        #expect(Self.course(.unknown("408: slow")) == slow)
        guard case .settle(.park(let park, _)) = Self.course(.unknown("500: no"), attempt: attemptsMax) else {
            Issue.record("the seventh failure is not parked")
            return
        }
        #expect(park.deadLetterClass == .connection)
        #expect(park.cause.contains("7 times") && park.cause.contains("500: no"))
    }

    @Test("each attempt's wait is any up to its greatest, all alike, and the message is told it",
        arguments: [(0, 5), (1, 30), (2, 120), (3, 600), (4, 3600), (5, 21_600)])
    func fullJitter(attempt: Int, most: Int) async throws {
        for retryAfter in [0, 4] {
            let trouble = retryAfter == 0
                ? XeroOutcome.unknown("500: no reason given")
                : .limited(retryAfter: .seconds(retryAfter), problem: "minute")
            var waits: [Duration] = []
            for permille in 0..<1000 {
                let course = Self.course(trouble, tries: 3, permille: permille, attempt: attempt)
                guard case .settle(let verdict)? = course else {
                    Issue.record("it is not put off")
                    return
                }
                let broker = ScriptedBroker([])
                let postbox = Postbox(inbox: broker, outbox: broker, now: { Instant(secondsSince1970: 0) })
                try await postbox.settle([(message(1), verdict)])
                let sent = try #require(await broker.published.first)
                let wait = try #require(sent.wait)
                guard case .retry(let delay) = sent.queue else {
                    Issue.record("it is in no delay queue")
                    return
                }
                #expect(delay.duration >= wait)
                waits.append(wait)
            }
            // Retry-After comes first; then each tenth of the greatest wait has a tenth of the draws.
            let start = Duration.seconds(retryAfter)
            for tenth in 0..<10 {
                let from = start + .seconds(most) * tenth / 10
                let count = waits.count { $0 >= from && $0 < from + .seconds(most) / 10 }
                #expect(count == 100, "\(tenth): \(count)")
            }
        }
    }

    @Test("a look that fails may be asked again at once, whatever the failure")
    func looks() {
        guard case .again = Self.course(.unknown("500: no"), tries: 2, isRepeatable: true) else {
            Issue.record("a look is not asked again")
            return
        }
        guard case .settle(.retry) = Self.course(.unknown("500: no"), tries: 3, isRepeatable: true) else {
            Issue.record("a look is asked for ever")
            return
        }
    }

    private static let minute = XeroOutcome.limited(retryAfter: .seconds(26), problem: "minute")

    @Test("a refusal for a limit is asked again in hand three times, after Retry-After and the jitter on top")
    func limitInHand() {
        for (tries, backoff) in [(0, 500), (1, 1000), (2, 2000)] {
            for (permille, jitter) in [(1000, backoff), (500, backoff / 2), (0, 50)] {
                let wanted = Course.again(
                    after: .seconds(26) + .milliseconds(jitter), why: CallLimit.park("minute").cause)
                #expect(Self.course(Self.minute, tries: tries, permille: permille, attempt: attemptsMax) == wanted)
            }
        }
    }

    @Test("after that its messages stay away for Retry-After and a jitter, counted, and come to the desk in the end")
    func limitPutOff() {
        let cause = CallLimit.park("minute").cause
        for (attempt, most) in [5, 30, 120, 600, 3600, 21_600].enumerated() {
            for permille in [0, 500, 1000] {
                let after = min(.seconds(26) + .seconds(most) * permille / 1000, Duration.seconds(21_600))
                let wanted = Course.settle(.retry(after: after, counted: true, cause: cause))
                #expect(Self.course(Self.minute, tries: 3, permille: permille, attempt: attempt) == wanted)
            }
        }
        guard case .settle(.park(let park, _)) = Self.course(Self.minute, tries: 3, attempt: attemptsMax) else {
            Issue.record("the seventh refusal for a limit is not parked")
            return
        }
        #expect(park.deadLetterClass == .rateLimit)
        #expect(park.cause == "It failed 7 times, the last time so: \(cause)")
        #expect(park.remedy == CallLimit.remedy)
        // A letter that is made again, of the cause that was stored, is the same.
        #expect(RefusalReading.again(park.cause) == park)
    }

    @Test("nobody waits longer than a minute with messages in hand, and no message longer than the longest delay queue")
    func longLimits() {
        func limited(_ seconds: Int, _ permille: Int = 0) -> Course? {
            Self.course(.limited(retryAfter: .seconds(seconds), problem: "day"), permille: permille)
        }
        guard case .again(after: .milliseconds(60_050), _) = limited(60) else {
            Issue.record("a minute is not waited for in hand")
            return
        }
        let cause = CallLimit.park("day").cause
        #expect(limited(61) == .settle(.retry(after: .seconds(61), counted: true, cause: cause)))
        #expect(limited(80_000, 1000) == .settle(.retry(after: .seconds(21_600), counted: true, cause: cause)))
        #expect(RetryDelay.atLeast(.seconds(21_600)) == .sixHours)
    }

    @Test("each limit has a sentence of its own that says what it is, that others may use it up, and what to do")
    func limitSentences() {
        let names = ["minute", "day", "appminute", "concurrent", "unnamed", "something new"]
        let parks = names.map(CallLimit.park)
        #expect(Set(parks.map(\.cause)).count == names.count)
        for park in parks {
            #expect(park.deadLetterClass == .rateLimit && park.deadLetterClass.canHeal)
            #expect(park.cause.contains("another app may be using it"))
            #expect(park.remedy.contains("Connected apps") && park.remedy.contains("by themselves"))
            #expect(CallLimit.isNamed(in: "It failed 7 times, the last time so: \(park.cause)"))
        }
        #expect(parks[1].cause.contains("for the day (until midnight UTC)"))
        #expect(!CallLimit.isNamed(in: "500: no reason given"))
    }

    @Test("an organisation that is offline, disconnected or out of reach rests; the documents have no fault")
    func environment() {
        for (outcome, least) in [(XeroOutcome.offline("503"), 15), (.disconnected("403"), 60), (.neverSent("dns"), 0)] {
            for tries in [0, 50] {
                guard case .again(let after, _) = Self.course(outcome, tries: tries, permille: 0, attempt: 6) else {
                    Issue.record("\(outcome) is no rest")
                    continue
                }
                #expect(after >= .seconds(least))
            }
        }
        let away = Course.of(.thrown(Broken()), tries: 0, permille: 1000)
        #expect(away == .pause(.milliseconds(500), why: "the database is away"))
    }

    @Test("what will never succeed goes to the desk at once; a lost lease comes back uncounted; a drain stops")
    func others() {
        let subject = Envelope.Subject(document: 7)
        let outcome = XeroOutcome.refused(status: 400, "The Account code 9 is wrong.")
        let refused = Course.Trouble(outcome).map { Course.of($0, tries: 0, permille: 0, about: subject) }
        guard case .settle(.park(let park, let about)) = refused else {
            Issue.record("a refusal is not parked")
            return
        }
        #expect(park.deadLetterClass == .mapping)
        #expect(about == subject)
        let lost = Course.of(.thrown(LeaseLost(count: 1)), tries: 9, permille: 0)
        guard case .settle(.retry(_, counted: false, _)) = lost else {
            Issue.record("a lost lease counts")
            return
        }
        #expect(Course.of(.thrown(CancellationError()), tries: 0, permille: 0) == .stop)
    }

    @Test("a deadlock that stays goes to the delay queues; a value no column can hold goes to the desk")
    func database() {
        func thrown(_ code: PostgresError.Code, tries: Int) -> Course {
            let error = PostgresError(code, operation: "INSERT", detail: "it says so")
            return Self.settled(Course.of(.thrown(error), tries: tries, permille: 1000), permille: 1000)
        }
        guard case .pause = thrown(.deadlock, tries: 2), case .settle(.retry(_, counted: true, _)) =
            thrown(.deadlock, tries: 3)
        else {
            Issue.record("a deadlock has another course")
            return
        }
        guard case .settle(.park(let park, _)) = thrown(.invalidText, tries: 0) else {
            Issue.record("an impossible value is not parked")
            return
        }
        #expect(park.deadLetterClass == .unknown)
        guard case .pause = thrown(.connectionLost, tries: 90) else {
            Issue.record("a database that is away counts against a message")
            return
        }
    }
}

struct PortionsTests {
    private func message(_ id: Int64, attempt: Int) -> IncomingMessage {
        var envelope = Envelope(firstSeen: Instant(secondsSince1970: 0))
        envelope.attempt = attempt
        return IncomingMessage(body: Array("\(id)".utf8), envelope: .success(envelope), queue: "q")
    }

    @Test("what failed once goes in tens, what failed twice alone, and what is fresh in one")
    func portions() {
        let batch = (1...30).map { message(Int64($0), attempt: $0 <= 5 ? 0 : $0 <= 27 ? 1 : $0 - 26) }
        let portions = Portions.of(batch)
        #expect(portions.map(\.count) == [5, 10, 10, 2, 1, 1, 1])
        #expect(portions.flatMap { $0 }.map(\.body) == batch.map(\.body))
        #expect(Portions.of([]).isEmpty)
        // Refused for a limit, they are to blame for nothing: all of them go in one request.
        let refused = (1...30).map { number in
            var envelope = Envelope(firstSeen: Instant(secondsSince1970: 0))
            envelope.attempt = number % 7
            envelope.lastError = CallLimit.park("minute").cause
            return IncomingMessage(body: [], envelope: .success(envelope), queue: "q")
        }
        #expect(Portions.of(refused).map(\.count) == [30])
        #expect(Portions.of(refused + [message(1, attempt: 2)]).map(\.count) == [30, 1])
        // What nobody understands is nobody's second attempt.
        let unreadable = IncomingMessage(body: [], envelope: .failure(Unreadable("x")), queue: "q")
        #expect(Portions.of([unreadable]).map(\.count) == [1])
    }
}
