package import Domain

/// The time and chance as the workers see them: parameters, so that a test can hold both still.
package struct WorkClock: Sendable {
    package let now: @Sendable () -> Instant
    package let sleep: @Sendable (Duration) async throws -> Void
    private let randomInteger: @Sendable (ClosedRange<Int>) -> Int

    package init(
        now: @escaping @Sendable () -> Instant, sleep: @escaping @Sendable (Duration) async throws -> Void,
        randomInteger: @escaping @Sendable (ClosedRange<Int>) -> Int
    ) {
        self.now = now
        self.sleep = sleep
        self.randomInteger = randomInteger
    }

    package func random(in range: ClosedRange<Int>) -> Int { randomInteger(range) }
}
