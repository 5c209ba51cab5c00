import Glibc
import Threads

/// Counts events from any thread; a test awaits the n-th instead of sleeping.
final class Signal: Sendable {
    private struct Waiters: Sendable {
        var count = 0
        var waiting: [(target: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let waiters = Locked(Waiters())

    func fire() {
        let ready = waiters.withLock { waiters in
            waiters.count += 1
            let count = waiters.count
            defer { waiters.waiting.removeAll { $0.target <= count } }
            return waiters.waiting.filter { $0.target <= count }.map(\.continuation)
        }
        for continuation in ready { continuation.resume() }
    }

    func wait(for target: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isReady = waiters.withLock { waiters in
                if waiters.count >= target { return true }
                waiters.waiting.append((target, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
    }
}

/// Holds a server's thread until the test lets it go on.
final class Gate: Sendable {
    private let parking = SemaphoreParking()

    func wait() { parking.park() }
    func open() { parking.unpark() }
}

private func gzipPieces(_ runs: [(byte: UInt8, count: Int)]) -> [UInt8] {
    runs.flatMap { Array(repeating: $0.byte, count: $0.count) }
}

/// A million zero bytes, compressed, as runs of equal bytes.
let gzipOfZeroes: [UInt8] = gzipPieces([
    (31, 1), (139, 1), (8, 1), (0, 5), (2, 1), (3, 1), (237, 1), (193, 1), (1, 2), (0, 3), (130, 1), (32, 1),
    (255, 1), (175, 1), (110, 1), (72, 1), (64, 1), (1, 1), (0, 968), (175, 1), (6, 1), (158, 1), (203, 1), (121, 1),
    (18, 1), (64, 1), (66, 1), (15, 1), (0, 1),
])

/// The word `small`, compressed.
let gzipOfSmall: [UInt8] = gzipPieces([
    (31, 1), (139, 1), (8, 1), (0, 5), (2, 1), (3, 1), (43, 1), (206, 1), (77, 1), (204, 1), (201, 1), (1, 1), (0, 1),
    (19, 1), (234, 1), (69, 1), (117, 1), (5, 1), (0, 3),
])
