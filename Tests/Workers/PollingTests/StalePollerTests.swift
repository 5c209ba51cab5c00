import Domain
import HTTP
import JSON
import Messaging
import Settings
import Store
import Testing

@testable import Polling

/// A poller that stood still while another took over must not put an order back to what it was.
@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(3)))
struct StalePollerTests {
    @Test("an order bears the time at which its record was asked for, however long the rest of its page takes")
    func stamp() async throws {
        try await ScanWorld.with("stamp") { world in
            var world = world
            let time = world.time
            let start = time.now
            world.onRead = { time.advance(seconds: 40) }
            try await world.enter(1)
            try await world.scanner().scan(world.venue, of: world.company, lease: world.lease())
            #expect(await world.outbox.published.map(\.envelope.firstSeen) == [start])
            #expect(time.now >= start.adding(seconds: 40))
        }
    }

    @Test("who lost the lease before it published publishes nothing; after it, what it noted is not believed")
    func takenOver() async throws {
        for isPublished in [false, true] {
            try await ScanWorld.with("taken_over_\(isPublished)") { world in
                let old = try await world.lease()
                let (stale, fresh) = (RecordingOutbox(), RecordingOutbox())
                // Another poller takes over, and meanwhile the order was edited.
                let takeover: @Sendable () async throws -> Void = { [world] in
                    world.time.advance(seconds: 20)
                    try await world.till.store.giveBack(old)
                    try await world.edit(1, #"{"total":22.00}"#)
                    try await world.scanner(outbox: fresh).scan(world.venue, of: world.company, lease: world.lease())
                    world.time.advance(seconds: 20)
                }
                var frozen = world
                if isPublished { await stale.afterwards(takeover) } else { frozen.onRead = takeover }
                try await world.enter(1)
                await #expect(throws: LeaseLost.self) {
                    try await frozen.scanner(outbox: stale).scan(world.venue, of: world.company, lease: old)
                }
                #expect(await stale.ids == (isPublished ? [1] : []))
                let current = try #require(await fresh.published.first)
                #expect(try JSON(parsing: current.body)["total"]?.numberText == "22.00")
                for message in await stale.published {
                    #expect(message.envelope.firstSeen < current.envelope.firstSeen)
                }
                // What the new one has noted stands: there is nothing left to ask for.
                let calls = try await world.detailCalls()
                try await world.till.store.giveBack(Lease(name: old.name, fence: old.fence + 1))
                world.time.advance(seconds: 5)
                try await world.scanner().scan(world.venue, of: world.company, lease: world.lease())
                #expect(try await world.detailCalls() == calls)
            }
        }
    }
}
