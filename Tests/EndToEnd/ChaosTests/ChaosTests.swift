import Foundation
import Glibc
import Telemetry
import Testing

@testable import FleetHarness

@Suite(.serialized) struct ChaosTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    private static let hasServers = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_DATABASE_URL"] != nil

    /// No seed is begun after this; the last one and its servers take what is left of five minutes.
    private static let time = Duration.seconds(225)
    /// With fewer the machine is too slow for the result to mean anything.
    private static let seedsMin = 6

    @Test(
        "whatever dies, is cut, doubled or lost: every order is one invoice with its payments, to the cent",
        .enabled(if: hasServers, "no servers here: use `make test`"), .timeLimit(.minutes(12)))
    func seeds() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tillbridge-chaos-\(getpid())").path
        let script = Self.root.appendingPathComponent("scripts/servers.sh").path
        let started = try await ChaosServers.start(in: "\(folder)-servers", script: script, owner: getpid())
        let series = ChaosSeries(
            programs: Self.programs,
            configuration: Self.root.appendingPathComponent("config/example.yaml").path, folder: folder,
            rabbitMQ: started.rabbitMQ, database: started.database, servers: started.servers)
        let result: Result<ChaosSeries.Report, any Error>
        do {
            // One seed a point.
            result = .success(
                try await series.run(
                    ChaosPlan.points.indices.map { UInt64($0 + 1) }, within: Self.time, keepGoing: true,
                    isInterrupted: { false }, say: { print($0) }))
        } catch { result = .failure(error) }
        await started.servers.stop()
        let report = try result.get()
        #expect(report.failed.isEmpty, "\(report.problems.joined(separator: "\n"))")
        #expect(report.held + report.failed.count >= Self.seedsMin)
        if report.failed.isEmpty { try? FileManager.default.removeItem(atPath: folder) }
    }

    /// The folder of the built executables: the test bundle lies in it.
    private static var programs: String {
        let bundle = Bundle.allBundles.map(\.bundlePath).first { $0.hasSuffix(".xctest") }
        let path = bundle ?? ((try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "")
        return (path as NSString).deletingLastPathComponent
    }
}

@Suite struct ChaosPlanTests {
    @Test("a seed always draws the same faults, and another seed others")
    func sameSeed() {
        for seed in UInt64(1)...50 {
            #expect(
                ChaosPlan(seed: seed, canRestart: true).lines == ChaosPlan(seed: seed, canRestart: true).lines)
        }
        #expect(Set((1...50).map { ChaosPlan(seed: $0, canRestart: true).lines.dropFirst() }).count == 50)
    }

    @Test("a hundred seeds kill at every point, cut every worker from every server, and restart both servers")
    func coverage() {
        let plans = (UInt64(1)...100).map { ChaosPlan(seed: $0, canRestart: true) }
        #expect(Set(plans.flatMap(\.traps).filter { $0.stop == nil }.map(\.waypoint)) == Set(ChaosPlan.points))
        var cut: Set<String> = []
        var wanted: Set<String> = []
        for plan in plans {
            for slot in plan.slots { for party in plan.parties(of: slot) { wanted.insert("\(slot.worker) \(party)") } }
            for event in plan.events {
                switch event.fault {
                case .cut(let slot, let party), .deaf(let slot, let party, _), .silent(let slot, let party, _),
                    .bar(let slot, let party, _):
                    cut.insert("\(slot.worker) \(party)")
                default: break
                }
            }
        }
        #expect(cut == wanted)
        let words = plans.flatMap(\.lines).joined(separator: "\n")
        for wanted in [
            "rabbitmq is killed", "rabbitmq stops", "postgres is killed", "postgres stops", "every worker is killed",
            "stands still", "come once more", "are lost", "every token is revoked", "offline", "429", "503",
            "half a batch", "every other of a batch", "did it all the same", "dropped before", "dropped after",
            "slower than a lease",
            "gets no answer from the ledger", "gets no answer from the database", "gets no answer from the broker",
            "nothing moves between", "cannot reach the", "corrected at the till", "limits x2",
            "become another amount, are deleted or given back",
        ] { #expect(words.contains(wanted), "no seed draws: \(wanted)") }
    }

    @Test("in the first seed, as in each tenth, every writer dies of its first payments, some of them carried out")
    func everyWriter() {
        for seed in UInt64(1)...100 {
            let plan = ChaosPlan(seed: seed, canRestart: true)
            let writers = Set(plan.slots.filter { $0.worker == "writer" })
            // The first trap of a slot is its first process's.
            let first = writers.filter { slot in
                let trap = plan.traps.first { $0.slot == slot }
                return trap?.waypoint == .writerPaymentsAnswered && trap?.pass == 1 && trap?.stop == nil
            }
            guard seed % 10 == 1 else { continue }
            #expect(first == writers)
            #expect(plan.lines.contains { $0.contains("the smaller of an invoice's two payments") })
        }
    }

    @Test("in three seeds of ten every writer dies of its first correction, and there are sales to correct")
    func corrections() {
        for seed in UInt64(1)...100 {
            let plan = ChaosPlan(seed: seed, canRestart: true)
            let corrects = plan.events.contains { if case .corrections = $0.fault { true } else { false } }
            #expect(corrects || !plan.traps.contains { $0.waypoint.isOfCorrection })
            guard let point = ChaosPlan.correctionDeaths[seed % 10] else { continue }
            #expect(corrects)
            for slot in plan.slots where slot.worker == "writer" {
                let trap = plan.traps.first { $0.slot == slot }
                #expect(trap?.waypoint == point && trap?.pass == 1 && trap?.stop == nil)
            }
        }
        #expect(Set(ChaosPlan.correctionDeaths.values) == Set(Waypoint.allCases.filter(\.isOfCorrection)))
    }

    @Test("where the servers are somebody else's, they are never restarted")
    func foreignServers() {
        for seed in UInt64(1)...200 { #expect(!ChaosPlan(seed: seed, canRestart: false).needsRestart) }
    }
}
