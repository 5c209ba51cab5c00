import Domain
import Postgres
import Store
import Testing

/// A group of letters from its opening to its end, and to its next time.
@Suite("A group at the desk", .enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct DeskGroupTests {
    private let interval = Duration.milliseconds(1)

    /// The group may be tried at once.
    private func hurry(_ desk: Desk) async throws {
        try await desk.run(
            "UPDATE dead_letter_group SET opened_at = now() - interval '1 hour', next_probe = now()")
    }

    @Test("of which one letter stays locked and others may go heals: the next one is tried each time, then all are")
    func partlyMended() async throws {
        try await Desk.with("group_part") { desk in
            // The oldest is of September, which stays locked; the others are of October.
            _ = try await desk.store.keep((1...5).map { DeadLetter("\($0)", deadLetterClass: .lockedPeriod) })
            let ids = try await desk.all().map(\.id)
            var tried: [Int64] = []
            var healed = 0
            for turn in 0..<3 where healed == 0 {
                try await hurry(desk)
                _ = try await desk.store.probe(interval)
                let probe = try #require(try await desk.send().first)
                tried.append(probe.mark.letter)
                if probe.mark.letter == ids[0] {
                    _ = try await desk.store.keep([
                        DeadLetter("1", deadLetterClass: .lockedPeriod, mark: probe.mark, delivery: "\(turn)")
                    ])
                } else {
                    try await desk.run("UPDATE dead_letter SET state = 'resolved' WHERE id = \(probe.mark.letter)")
                }
                for probing in try await desk.store.probe(interval) {
                    if case .healed(let count) = probing.outcome { healed = count }
                }
            }
            #expect(tried == [ids[0], ids[1]])
            #expect(healed == 4)
            // The locked one comes back again, the rest is through; then it is the only one left to try.
            for replay in try await desk.send() where replay.mark.letter == ids[0] {
                _ = try await desk.store.keep([
                    DeadLetter("1", deadLetterClass: .lockedPeriod, mark: replay.mark, delivery: "rest")
                ])
            }
            try await desk.run("UPDATE dead_letter SET state = 'resolved' WHERE state = 'replaying'")
            try await hurry(desk)
            _ = try await desk.store.probe(interval)
            #expect(try await desk.send().map(\.mark.letter) == [ids[0]])
        }
    }

    @Test("is somebody's until it closes; the next time its cause comes it is nobody's again")
    func assignee() async throws {
        try await Desk.with("group_whose") { desk in
            _ = try await desk.store.keep([DeadLetter("1"), DeadLetter("2")])
            var filter = LetterFilter()
            filter.group = try await desk.groups()[0].id
            func whose() async throws -> [String?] { try await desk.groups().map(\.assignee) }
            #expect(try await whose() == [nil])
            #expect(try await desk.store.assign(filter, to: "ben", by: "ana").count == 2)
            #expect(try await whose() == ["ben"])
            _ = try await desk.store.keep([DeadLetter("3")])
            #expect(try await whose() == ["ben"], "another letter of the same cause is the same matter")
            try await desk.run("UPDATE dead_letter SET state = 'resolved'")
            #expect(try await desk.store.closeGroups().count == 1)
            #expect(try await desk.groups(closedToo: true).map(\.assignee) == [nil])
            _ = try await desk.store.keep([DeadLetter("4")])
            #expect(try await whose() == [nil])
            // Closed by an earlier version of the fleet, which left the name.
            try await desk.run("UPDATE dead_letter_group SET closed_at = now(), assignee = 'ben'")
            _ = try await desk.store.keep([DeadLetter("5")])
            #expect(try await whose() == [nil])
        }
    }
}
