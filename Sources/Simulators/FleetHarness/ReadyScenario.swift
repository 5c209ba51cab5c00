import Foundation
import Glibc

/// From starting a worker's process to `/ready` answering 200.
struct ReadyScenario {
    let options: FleetOptions

    func run(into figures: inout Figures) async throws {
        let fleet = try await Fleet(options)
        do {
            for name in ["poller", "mapper", "writer", "dead-letter-handler"] {
                let port = try Self.freePort()
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
                figures.add("worker.ready_ms", DrainScenario.seconds(.now - start) * 1000, "ms, each worker")
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

    /// A port nobody listens on now.
    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard bound else { throw HarnessError("no loopback port is free") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
