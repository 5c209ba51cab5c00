/// Durations as operators write them: `200ms`, `5s`, `10m`, `6h`, `3d`.
package enum DurationText {
    private static let units: [(suffix: String, seconds: Int64)] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]

    package static func parse(_ text: String) -> Duration? {
        if text.hasSuffix("ms") { return Int64(text.dropLast(2)).flatMap { $0 >= 0 ? .milliseconds($0) : nil } }
        for unit in units where text.hasSuffix(unit.suffix) {
            guard let count = Int64(text.dropLast()), (0...1_000_000).contains(count) else { return nil }
            return .seconds(count * unit.seconds)
        }
        return nil
    }

    package static func render(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        guard attoseconds == 0 else { return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms" }
        let unit = units.last { seconds != 0 && seconds % $0.seconds == 0 } ?? units[0]
        return "\(seconds / unit.seconds)\(unit.suffix)"
    }
}
