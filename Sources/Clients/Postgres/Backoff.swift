/// How long to wait before the next attempt: doubling from `first` to `max`, each with jitter, so that many
/// who failed together do not come back together.
struct Backoff {
    private var next: Duration
    private let max: Duration

    init(first: Duration, max: Duration) {
        next = first
        self.max = max
    }

    /// Between half of the step and the whole of it.
    mutating func delay(using generator: inout some RandomNumberGenerator) -> Duration {
        let step = next
        next = min(next * 2, max)
        return step / 2 + step / 2 * Double.random(in: 0...1, using: &generator)
    }

    mutating func delay() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return delay(using: &generator)
    }
}
