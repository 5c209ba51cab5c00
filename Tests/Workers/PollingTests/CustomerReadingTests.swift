import Domain
import Foundation
import HTTP
import JSON
import Kounta
import Mapping
import Messaging
import Settings
import Store
import Telemetry
import Testing

@testable import Polling

/// Tags of customers, which no order brings.
@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(3)))
struct CustomerReadingTests {
    private static func with(
        _ name: String, _ work: @escaping @Sendable (ScanWorld, Lease) async throws -> Void
    ) async throws {
        try await ScanWorld.with("customers_\(name)") { world in
            var world = world
            world.questions = [ScanWorld.bistro: CustomerQuestion(tags: true)]
            try await work(world, try await world.lease())
        }
    }

    @Test("where no rule asks nothing is called, and an order is published as it came")
    func notAsked() async throws {
        try await Self.with("none") { world, lease in
            try await world.tag(162_003, "Staff")
            try await world.enter(1, at: ScanWorld.pier, customer: 162_003)
            try await world.enter(2)
            for venue in world.company.venues { try await world.scanner().scan(venue, of: world.company, lease: lease) }
            #expect(try await world.customerCalls() == 0)
            #expect(await world.outbox.ids.sorted() == [1, 2])
            for message in await world.outbox.published {
                #expect(CustomerAddition.removed(from: message.body) == message.body)
            }
            #expect(try await world.till.store.customers(["162003"], of: world.company.key).isEmpty)
        }
    }

    @Test("a customer is read once for all orders of all venues and pollers, and again once what was read is too old")
    func once() async throws {
        try await Self.with("once") { world, lease in
            var world = world
            world.questions[ScanWorld.pier] = CustomerQuestion(tags: true)
            try await world.tag(162_003, "Staff", "Gold")
            for id in 1...5 { try await world.enter(id, customer: 162_003) }
            for id in 6...8 { try await world.enter(id, at: ScanWorld.pier, customer: 162_003) }
            try await world.enter(9, customer: 162_004)
            let (company, scanner) = (world.company, world.scanner())
            try await withThrowingTaskGroup { group in
                for venue in company.venues {
                    group.addTask { try await scanner.scan(venue, of: company, lease: lease) }
                }
                try await group.waitForAll()
            }
            #expect(try await world.customerCalls() == 2)
            for message in await world.outbox.published {
                let order = try OrderRecord.order(from: message.body)
                #expect(order.customer?.tags == (order.id.text == "9" ? [] : ["Staff", "Gold"]))
                #expect(order.customerKnowledge == .read)
                // What was added makes no other version.
                let hash = VenueScanner.hash(CustomerAddition.removed(from: message.body)).description
                #expect(message.envelope.subject.hash == hash)
            }
            // Another poller finds what this one read.
            try await world.tag(162_003, "Retired")
            world.time.advance(seconds: 3599)
            try await world.enter(10, customer: 162_003)
            try await world.scanner().scan(world.venue, of: company, lease: lease)
            #expect(try await world.customerCalls() == 2)
            #expect(try await world.tags() == ["Staff", "Gold"])
            world.time.advance(seconds: 1)
            try await world.enter(11, customer: 162_003)
            try await world.scanner().scan(world.venue, of: company, lease: lease)
            #expect(try await world.customerCalls() == 3)
            #expect(try await world.tags() == ["Retired"])
        }
    }

    @Test("tags that change make no order come again; a corrected order brings the tags known then")
    func changed() async throws {
        try await Self.with("changed") { world, lease in
            var world = world
            world.settings.customersMaxAge = .zero
            try await world.enter(1, customer: 162_003)
            try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            try await world.tag(162_003, "Staff")
            for _ in 1...3 {
                world.time.advance(seconds: 3600)
                try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            }
            #expect(await world.outbox.ids == [1])
            #expect(try await world.tags() == [])
            #expect(try await world.customerCalls() == 1)
            try await world.edit(1, #"{"total":22.00}"#)
            try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            #expect(await world.outbox.ids == [1, 1])
            #expect(try await world.tags() == ["Staff"])
        }
    }

    @Test("a customer who is gone has no tags, and is not asked for again")
    func gone() async throws {
        try await Self.with("gone") { world, lease in
            _ = try await world.till.call(.delete, "/_control/customers/162003")
            try await world.enter(1, customer: 162_003)
            try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            try await world.enter(2, customer: 162_003)
            try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            #expect(await world.outbox.ids == [1, 2])
            #expect(try await world.customerCalls() == 1)
            for message in await world.outbox.published {
                #expect(try OrderRecord.order(from: message.body).customerKnowledge == .gone)
            }
        }
    }

    private static let troubles = [
        "status": #"{"status":500}"#, "forbidden": #"{"status":403}"#, "form": #"{"status":200,"body":[]}"#,
        "silence": #"{"drop":"before"}"#,
    ]

    @Test("an order whose customer cannot be read waits alone: nothing else does, and when it can be read it goes on",
        arguments: troubles.keys.sorted())
    func waits(_ trouble: String) async throws {
        let action = try #require(Self.troubles[trouble])
        try await Self.with("waits_\(trouble)") { world, lease in
            try await world.tag(162_003, "Staff")
            for id in 1...3 { try await world.enter(id, customer: 162_000 + id) }
            try await world.fault(action, ofCustomer: 162_003)
            let unread = try await #require(throws: UnreadCustomer.self) {
                try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            }
            #expect(unread.id == "162003")
            #expect(await world.outbox.ids.sorted() == [1, 2])
            // It is met again, however old it is, and nothing is asked for twice.
            #expect(try await world.position()?.readUntil == world.company.startFrom)
            world.time.advance(seconds: 1800)
            await #expect(throws: UnreadCustomer.self) {
                try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            }
            #expect(await world.outbox.ids.sorted() == [1, 2])
            // A call that was cut off is made again by itself.
            let calls = try await world.customerCalls()
            #expect(trouble == "silence" ? calls > 4 : calls == 4)
            try await world.removeFaults()
            try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            #expect(await world.outbox.ids.sorted() == [1, 2, 3])
            #expect(try await world.tags() == ["Staff"])
            #expect(try await world.position()?.readUntil == world.time.now)
            let known = try await world.till.store.customers(["162003"], of: world.company.key)
            #expect(known["162003"]?.failure == nil)
        }
    }

    @Test("no longer than customers_wait_max: then it goes on, marked, and so do the next until a look is answered")
    func waitEnds() async throws {
        try await Self.with("ends") { world, lease in
            try await world.enter(1, customer: 162_003)
            try await world.fault(#"{"status":500}"#, ofCustomer: 162_003)
            for _ in 1...2 {
                await #expect(throws: UnreadCustomer.self) {
                    try await world.scanner().scan(world.venue, of: world.company, lease: lease)
                }
                world.time.advance(seconds: 1800)
            }
            try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            #expect(await world.outbox.ids == [1])
            try await world.enter(2, customer: 162_003)
            try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            for message in await world.outbox.published {
                let order = try OrderRecord.order(from: message.body)
                guard case .unreadable(let cause) = order.customerKnowledge else {
                    Issue.record("order \(order.id): \(order.customerKnowledge)")
                    continue
                }
                #expect(cause.contains("answered 500"))
            }
            #expect(world.till.metrics.rendered().contains(
                #"tillbridge_orders_without_customer_total{company="harbour"} 2"#))
            try await world.removeFaults()
            try await world.enter(3, customer: 162_003)
            try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            #expect(await world.outbox.ids == [1, 2, 3])
            #expect(try await world.tags() == [])
        }
    }

    @Test("where no call is left the page waits; who was read before is not read again")
    func limited() async throws {
        try await Self.with("limited") { world, lease in
            for id in 1...3 { try await world.enter(id, customer: 162_000 + id) }
            // The list, three orders and one customer.
            await #expect(throws: NoCallLeft.self) {
                try await world.scanner(callsPerMinute: 5).scan(world.venue, of: world.company, lease: lease)
            }
            #expect(await world.outbox.ids.isEmpty)
            #expect(try await world.customerCalls() == 1)
            world.time.advance(seconds: 61)
            try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            #expect(await world.outbox.ids.sorted() == [1, 2, 3])
            #expect(try await world.customerCalls() == 3)
        }
    }

    @Test("a sale on account that is paid while its customer cannot be read is not lost")
    func account() async throws {
        try await Self.with("account") { world, lease in
            try await world.enter(1, status: "PENDING", customer: 162_003)
            try await world.edit(1, #"{"order_payment_type":"Account"}"#)
            try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            try await world.edit(1, #"{"status":"COMPLETE","created_at":"2026-01-05T10:00:00Z"}"#)
            world.time.advance(seconds: 7200)
            let before = await world.outbox.ids.count
            try await world.fault(#"{"status":500}"#, ofCustomer: 162_003)
            await #expect(throws: UnreadCustomer.self) {
                try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            }
            #expect(await world.outbox.ids.count == before)
            try await world.removeFaults()
            world.time.advance(seconds: 600)
            try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            #expect(await world.outbox.ids.count > before)
        }
    }

    @Test("whoever only looks stores nothing")
    func onlyLooks() async throws {
        try await Self.with("looks") { world, _ in
            try await world.enter(1, customer: 162_003)
            let record = try #require(try await world.client(0).order(OrderID("1"), priority: .rescan))
            let reading = world.customers(world.client(0), keeps: false)
            let read = try await reading.complete([record], at: ScanWorld.bistro)
            #expect(try OrderRecord.order(from: try read[0].get()).customerKnowledge == .read)
            #expect(try await world.till.store.customers(["162003"], of: world.company.key).isEmpty)
        }
    }
}

extension ScanWorld {
    /// Of the customer of what was published last.
    fileprivate func tags() async throws -> [String]? {
        guard let last = await outbox.published.last else { return nil }
        return try OrderRecord.order(from: last.body).customer?.tags
    }
}
