import Threads

/// Counters, gauges and histograms in memory, rendered as Prometheus text.
///
/// Our own sixty lines, because no exporter is among the packages we may use. Names follow Prometheus' practice:
/// `tillbridge_<noun>_<unit>[_total]`; labels are few and bounded (queue, outcome, class, organisation).
package final class Metrics: Sendable {
    fileprivate struct Series: Hashable {
        let name: String
        let labels: [Label]
    }

    fileprivate struct Label: Hashable, Comparable {
        let name: String
        let value: String
        static func < (a: Label, b: Label) -> Bool { a.name < b.name }
    }

    private struct Histogram {
        var counts: [Int]
        var sum: Duration = .zero
        var count = 0
    }

    private struct State {
        var counters: [Series: Int] = [:]
        var gauges: [Series: Int64] = [:]
        var histograms: [Series: Histogram] = [:]
    }

    private let state = Locked(State())

    /// Upper bounds of the time buckets.
    private static let bounds: [Duration] = [
        .milliseconds(1), .milliseconds(5), .milliseconds(25), .milliseconds(100), .milliseconds(500), .seconds(2),
        .seconds(10), .seconds(60),
    ]

    package init() {}

    package func count(_ name: String, _ labels: KeyValuePairs<String, String> = [:], by amount: Int = 1) {
        let series = Self.series(name, labels)
        state.withLock { $0.counters[series, default: 0] += amount }
    }

    package func set(_ name: String, _ labels: KeyValuePairs<String, String> = [:], to value: Int64) {
        let series = Self.series(name, labels)
        state.withLock { $0.gauges[series] = value }
    }

    package func time(_ name: String, _ labels: KeyValuePairs<String, String> = [:], took duration: Duration) {
        let series = Self.series(name, labels)
        state.withLock { state in
            var histogram = state.histograms[series] ?? Histogram(counts: Self.bounds.map { _ in 0 })
            for (index, bound) in Self.bounds.enumerated() where duration <= bound { histogram.counts[index] += 1 }
            histogram.sum += duration
            histogram.count += 1
            state.histograms[series] = histogram
        }
    }

    /// Prometheus' text format, version 0.0.4.
    package func rendered() -> String {
        let state = state.withLock { $0 }
        var lines: [String] = []
        func add(_ kind: String, _ series: [(Series, [String])]) {
            var last = ""
            for (series, rows) in series.sorted(by: { ($0.0.name, $0.0.labels.text) < ($1.0.name, $1.0.labels.text) }) {
                if series.name != last { lines.append("# TYPE \(series.name) \(kind)") }
                last = series.name
                lines += rows
            }
        }
        add("counter", state.counters.map { ($0.key, ["\($0.key.text()) \($0.value)"]) })
        add("gauge", state.gauges.map { ($0.key, ["\($0.key.text()) \($0.value)"]) })
        add("histogram", state.histograms.map { ($0.key, Self.rows($0.key, $0.value)) })
        return lines.joined(separator: "\n") + "\n"
    }

    private static func rows(_ series: Series, _ histogram: Histogram) -> [String] {
        var rows = zip(bounds, histogram.counts).map { bound, count in
            "\(series.text("_bucket", Label(name: "le", value: seconds(bound)))) \(count)"
        }
        rows.append("\(series.text("_bucket", Label(name: "le", value: "+Inf"))) \(histogram.count)")
        rows.append("\(series.text("_sum")) \(seconds(histogram.sum))")
        rows.append("\(series.text("_count")) \(histogram.count)")
        return rows
    }

    /// Seconds with microseconds, in plain digits.
    private static func seconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let micros = String(attoseconds / 1_000_000_000_000)
        return "\(seconds)." + String(repeating: "0", count: 6 - micros.utf8.count) + micros
    }

    private static func series(_ name: String, _ labels: KeyValuePairs<String, String>) -> Series {
        Series(name: name, labels: labels.map { Label(name: $0.key, value: $0.value) }.sorted())
    }
}

extension Metrics.Series {
    fileprivate func text(_ suffix: String = "", _ extra: Metrics.Label? = nil) -> String {
        let all = labels + (extra.map { [$0] } ?? [])
        return name + suffix + (all.isEmpty ? "" : "{\(all.text)}")
    }
}

extension [Metrics.Label] {
    fileprivate var text: String {
        map { label in
            let value = label.value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                .replacing("\n", with: "\\n")
            return "\(label.name)=\"\(value)\""
        }.joined(separator: ",")
    }
}
