import Domain
import HTTP
import JSON
import Kounta
import Messaging
import Settings
import Store
import Testing

@testable import Polling

/// Orders that Kounta lists and does not show.
@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(3)))
struct UnreadOrderTests {
    private static let troubles = [
        "status": #"{"status":500}"#, "forbidden": #"{"status":403}"#, "empty": #"{"status":401}"#,
        "silence": #"{"drop":"before"}"#,
    ]

    private func unread(_ world: ScanWorld, _ ids: Int...) async throws -> [OrderID: UnreadOrder] {
        try await world.till.store.unreadOrders(ids.map { OrderID("\($0)") }, of: world.company.key)
    }

    @Test("one that cannot be read waits alone: its page and those after it are read; it goes on once it can be read",
        arguments: troubles.keys.sorted())
    func waits(_ trouble: String) async throws {
        let action = try #require(Self.troubles[trouble])
        try await ScanWorld.with("unread_\(trouble)") { world in
            let (scanner, lease) = (world.scanner(), try await world.lease())
            // The newest but one, on the first of two pages.
            for id in 1...30 { try await world.enter(id, ago: Int64(100 - id)) }
            try await world.fault(action, ofOrder: "29")
            let waiting = try await #require(throws: WaitingOrder.self) {
                try await scanner.lookForNew(world.venue, of: world.company, lease: lease)
            }
            #expect(waiting.isNews && "\(waiting)".contains("order 29"), "\(waiting)")
            #expect(await world.outbox.ids.sorted() == (1...30).filter { $0 != 29 })
            #expect(try await world.position()?.readUntil == world.company.startFrom)
            // It is not asked for with every poll.
            let calls = try await world.detailCalls()
            let again = try await #require(throws: WaitingOrder.self) {
                try await scanner.lookForNew(world.venue, of: world.company, lease: lease)
            }
            #expect(!again.isNews)
            #expect(try await world.detailCalls() == calls)
            try await world.removeFaults()
            world.time.advance(seconds: 60)
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(await world.outbox.ids.last == 29)
            #expect(await world.outbox.letters.isEmpty)
            #expect(try await world.position()?.readUntil == world.time.now)
            #expect(try await unread(world, 29).isEmpty)
        }
    }

    @Test("after an hour it lies on the desk, once, and holds the cursor no longer; when Kounta shows it, it is read")
    func told() async throws {
        try await ScanWorld.with("unread_told") { world in
            var world = world
            world.start(from: world.time.now.adding(seconds: -3600))
            let (scanner, lease) = (world.scanner(), try await world.lease())
            for id in 1...3 { try await world.enter(id) }
            try await world.fault(#"{"status":500}"#, ofOrder: "2")
            func look() async throws {
                do { try await scanner.scan(world.venue, of: world.company, lease: lease) } catch is WaitingOrder {}
            }
            for _ in 0..<11 {
                try await look()
                world.time.advance(seconds: 300)
            }
            #expect(await world.outbox.letters.isEmpty)
            #expect(try await world.position()?.readUntil == world.company.startFrom)
            for _ in 0..<4 {
                try await look()
                world.time.advance(seconds: 300)
            }
            let letter = try #require(await world.outbox.letters.first)
            let failure = try #require(letter.envelope.failure)
            #expect(failure.cause.contains("order 2 of Harbour Bistro") && failure.cause.contains("500"), "\(failure)")
            #expect(failure.remedy.contains("Open the order in Kounta"))
            #expect(letter.envelope.subject.id == "2" && letter.envelope.subject.kind == "order")
            #expect(try JSON(parsing: letter.body)["total"]?.numberText == "11.00")
            // Nothing waits for it any more.
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(try await world.position()?.readUntil == world.time.now)
            for _ in 0..<8 {
                world.time.advance(seconds: 1200)
                try await scanner.scan(world.venue, of: world.company, lease: lease)
            }
            #expect(await world.outbox.letters.count == 1)
            #expect(await world.outbox.ids.sorted() == [1, 3])
            try await world.removeFaults()
            world.time.advance(seconds: 3600)
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(await world.outbox.ids.sorted() == [1, 2, 3])
            #expect(try await unread(world, 2).isEmpty)
        }
    }

    @Test("an outage is no order's fault: the venue waits as a whole, for hours, and nothing of it goes to the desk")
    func outage() async throws {
        try await ScanWorld.with("unread_outage") { world in
            let (scanner, lease) = (world.scanner(), try await world.lease())
            for id in 1...2 { try await world.enter(id) }
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            for id in 3...5 { try await world.enter(id) }
            try await world.fault(#"{"status":500}"#, ofOrder: "")
            let before = try #require(try await world.position())
            for _ in 0..<20 {
                world.time.advance(seconds: 600)
                await #expect(throws: KountaError.self) {
                    try await scanner.lookForNew(world.venue, of: world.company, lease: lease)
                }
            }
            #expect(await world.outbox.published.count == 2)
            #expect(try await unread(world, 3, 4, 5).isEmpty)
            #expect(try await world.position() == before)
            try await world.removeFaults()
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(await world.outbox.ids.sorted() == [1, 2, 3, 4, 5])
        }
    }

    @Test("of many at once that Kounta does not show twenty lie on the desk; the others hold the cursor")
    func many() async throws {
        try await ScanWorld.with("unread_many") { world in
            var world = world
            world.start(from: world.time.now.adding(seconds: -3600))
            let (scanner, lease) = (world.scanner(), try await world.lease())
            for id in 100...122 { try await world.enter(id, ago: 600) }
            for id in 201...208 { try await world.enter(id) }
            try await world.fault(#"{"status":500}"#, ofOrder: "1")
            for _ in 0..<16 {
                await #expect(throws: WaitingOrder.self) {
                    try await scanner.scan(world.venue, of: world.company, lease: lease)
                }
                world.time.advance(seconds: 300)
            }
            #expect(await world.outbox.letters.count == 20)
            #expect(await world.outbox.ids.sorted() == Array(201...208))
            #expect(try await world.position()?.readUntil == world.company.startFrom)
        }
    }
}
