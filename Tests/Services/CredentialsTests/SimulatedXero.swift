import Hummingbird
import Testing
import XeroSimulator

/// Runs a simulated Xero on a free port of the loopback for as long as `body` takes.
func withXeroSimulator(_ settings: SimulatorSettings, _ body: (Int) async throws -> Void) async throws {
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            // Ends by cancellation below; what it throws before that ends the stream, and the test fails on it.
            defer { continuation.finish() }
            try await Simulator(settings).application { continuation.yield($0) }.run()
        }
        var listening = ports.makeAsyncIterator()
        try await body(try #require(await listening.next()))
        group.cancelAll()
    }
}
