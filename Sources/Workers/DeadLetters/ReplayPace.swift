/// How many letters go out at a time, and how far apart: in no second, wherever it begins, more than the pace. A batch
/// that took long is not made up for by the next ones. Pure.
struct ReplayPace: Sendable {
    /// Letters of one batch; at least one.
    let batch: Int
    /// From one batch's start to the next one's.
    let interval: Duration

    /// - Parameters:
    ///   - perSecond: letters, from 1.
    ///   - batchMax: the most in one batch, from 1.
    init(perSecond: Int, batchMax: Int) {
        let batches = (perSecond + batchMax - 1) / batchMax
        batch = perSecond / batches
        interval = .seconds(1) / batches
    }

    /// What is left of the interval. A clock that was set back meanwhile makes no pause longer than the interval.
    func pause(after elapsed: Duration) -> Duration { max(.zero, interval - max(.zero, elapsed)) }
}
