import Foundation

/// From starting a worker's process to `/ready` answering 200.
struct ReadyScenario {
    let options: FleetOptions

    func run(into figures: inout Figures) async throws {
        let fleet = try await Fleet(options)
        do {
            for name in ["poller", "mapper", "writer", "dead-letter-handler"] {
                let port = try Ports.free()
                let start = ContinuousClock.now
                let client = SimulatorClient(base: "http://127.0.0.1:\(port)")
                let child = try await fleet.startWorker(
                    name, log: "ready-\(name)", environment: ["TILLBRIDGE_HEALTH_ADDRESS": "127.0.0.1:\(port)"])
                while await client.status("/ready") != 200 {
                    guard child.isRunning, .now - start < .seconds(30) else {
                        throw HarnessError("\(name) did not become ready: see \(options.folder)/ready-\(name).log")
                    }
                    try await Task.sleep(for: .milliseconds(2))
                }
                let taken = DrainScenario.seconds(.now - start) * 1000
                figures.add("worker.ready_ms", taken, "ms, each worker", .atMost(500))
                await client.close()
                _ = await child.stop()
                await fleet.children.remove(child)
            }
        } catch {
            _ = await fleet.stop()
            throw error
        }
        _ = await fleet.stop()
    }
}
