import Domain
import Messaging
@testable import Store
import Testing
import Xero

@testable import Writing

struct CourseTests {
    private struct Broken: Error, CustomStringConvertible { let description = "the database is away" }

    @Test("transient trouble backs off exponentially with full jitter, at most 30 s, never in a busy loop")
    func backoff() {
        func wait(_ attempt: Int, _ permille: Int) -> Duration? {
            let course = Course.of(.call(.unknown("500")), attempt: attempt, permille: permille)
            if case .again(let after, _) = course { return after }
            return nil
        }
        #expect((0...7).map { wait($0, 1000) } == [0.5, 1, 2, 4, 8, 16, 30, 30].map { Duration.seconds($0) })
        #expect(wait(3, 500) == .seconds(2))
        #expect(wait(3, 0) == .milliseconds(50))
        #expect(wait(.max, 1000) == .seconds(30))
        #expect(wait(.min, 1000) == .milliseconds(500))
    }

    @Test("Retry-After is honoured, and the jitter comes on top")
    func retryAfter() {
        let limited = XeroOutcome.limited(retryAfter: .seconds(26), problem: "minute")
        let course = Course.of(.call(limited), attempt: 0, permille: 1000)
        #expect(course == .again(after: .milliseconds(26_500), why: "the limit (minute) is used up"))
    }

    @Test("an organisation that is offline or disconnected rests long; the documents have no fault")
    func environment() {
        for (outcome, least) in [(XeroOutcome.offline("503"), 15), (.disconnected("403"), 60)] {
            guard case .again(let after, _) = Course.of(.call(outcome), attempt: 0, permille: 0) else {
                Issue.record("\(outcome) is no rest")
                continue
            }
            #expect(after >= .seconds(least))
        }
        let away = Course.of(.thrown(Broken()), attempt: 0, permille: 1000)
        #expect(away == .pause(.milliseconds(500), why: "the database is away"))
    }

    @Test("what will never succeed goes to the desk at once; a lost lease comes back uncounted; a drain stops")
    func others() {
        let subject = Envelope.Subject(document: 7)
        let outcome = XeroOutcome.refused(status: 400, "The Account code 9 is wrong.")
        let refused = Course.of(.call(outcome), attempt: 0, permille: 0, about: subject)
        guard case .settle(.park(let park, let about)) = refused else {
            Issue.record("a refusal is not parked")
            return
        }
        #expect(park.deadLetterClass == .mapping)
        #expect(about == subject)
        let lost = Course.of(.thrown(LeaseLost(count: 1)), attempt: 9, permille: 0)
        guard case .settle(.retry(_, counted: false, _)) = lost else {
            Issue.record("a lost lease counts")
            return
        }
        #expect(Course.of(.thrown(CancellationError()), attempt: 0, permille: 0) == .stop)
    }
}

struct PaceTests {
    @Test("a batch waits for nobody while calls are plentiful, and the longer the fewer are left")
    func pace() {
        let usual = Duration.milliseconds(200)
        #expect(Pace.linger(percentLeft: 100, usual: usual) == .milliseconds(20))
        #expect(Pace.linger(percentLeft: 75, usual: usual) == .milliseconds(20))
        #expect(Pace.linger(percentLeft: 60, usual: usual) == usual)
        #expect(Pace.linger(percentLeft: 25, usual: usual) == .milliseconds(5200))
        #expect(Pace.linger(percentLeft: 0, usual: usual) == .milliseconds(10_200))
        #expect(Pace.linger(percentLeft: -40, usual: usual) == .milliseconds(10_200))
        #expect(Pace.linger(percentLeft: 100, usual: .zero) == .zero)
        // Without limits there is nothing to save.
        #expect(Pace().linger(usual: usual) == usual)
    }
}
