import Domain
import Logging
import Settings
import Store
import Testing

@testable import Polling

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(3)))
struct VenueScanTests {
    private static let notUnderstood = [
        "html": #"{"status":200,"body":"<html>"}"#, "object": #"{"status":200,"body":{}}"#,
        "row": #"{"status":200,"body":[{"id":1}]}"#,
        "time": #"{"status":200,"body":[{"id":1,"created_at":"yesterday"}]}"#,
    ]

    @Test(
        "a page that is not understood stops its venue loudly, and that one only; read again, it goes on from there",
        arguments: notUnderstood.keys.sorted())
    func stopped(_ kind: String) async throws {
        let answer = try #require(Self.notUnderstood[kind])
        try await ScanWorld.with("stopped_\(kind)") { world in
            let lease = try await world.lease()
            for venue in world.company.venues { try await world.scanner().scan(venue, of: world.company, lease: lease) }
            try await world.till.store.giveBack(lease)
            let before = try #require(try await world.position(ScanWorld.pier))
            world.time.advance(seconds: 60)
            try await world.enter(1, at: ScanWorld.bistro, ago: 10)
            try await world.enter(2, at: ScanWorld.pier, ago: 10)
            try await world.fault(answer, at: ScanWorld.pier)
            try await world.polling {
                // Four readings of both venues, and the lease. Of those only the one that fails waits longer.
                let pauses = await world.pauses.wait(for: 9)
                #expect(pauses == [5, 5, 5, 10, 60, 60, 240, 240, 900].map { .seconds($0) })
                let told = world.till.lines.lines(.error)
                #expect(told.count == 1 && told[0].contains("STOPPED") && told[0].contains("/sites/985/"), "\(told)")
                #expect(world.isStopped(ScanWorld.pier) == true && world.isStopped(ScanWorld.bistro) == false)
                #expect(try await world.position(ScanWorld.pier) == before)
                #expect(await world.outbox.ids == [1])
                #expect(try await world.position()?.readUntil == world.time.now)

                try await world.removeFaults()
                await world.pauses.wakeAll()
                _ = await world.pauses.wait(for: 9)
                #expect(world.isStopped(ScanWorld.pier) == false)
                #expect(try await world.position(ScanWorld.pier)?.readUntil == world.time.now)
                #expect(await world.outbox.ids == [1, 2])
                #expect(world.till.lines.lines(.error).count == 1)
            }
        }
    }
}
