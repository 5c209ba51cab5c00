import Foundation
import Testing

/// `promtool check rules` knows PromQL; what it cannot know is whether a metric of that name exists.
@Suite("the alert rules for Prometheus")
struct PrometheusRuleTests {
    @Test("ask only for metrics that the workers give")
    func metrics() throws {
        let text = try #require(SourceTree.text("docker/prometheus-rules.yaml"))
        let asked = Set(text.matches(of: #/\btillbridge_[a-z_]+/#).map { String($0.output) })
        let given = Set(SourceTree.sources.flatMap(\.literals).map(\.text))
        #expect(asked.count >= 8)
        #expect(asked.filter { !given.contains($0) } == [])
    }

    /// Of each metric in the README's table; `class` of "gauge, `class`".
    private static func labels(_ readme: String) -> [String: Set<String>] {
        var labels: [String: Set<String>] = [:]
        for line in readme.split(separator: "\n") {
            guard let row = line.wholeMatch(of: #/\| `(tillbridge_[a-z_]+)` \| ([a-z]+)(.*?) \|.*/#) else { continue }
            labels[String(row.1)] = Set(row.3.matches(of: #/`([a-z]+)`/#).map { String($0.1) })
        }
        return labels
    }

    @Test("ask only for labels that the metric has")
    func labels() throws {
        let known = Self.labels(try #require(SourceTree.text("README.md")))
        let text = try #require(SourceTree.text("docker/prometheus-rules.yaml"))
        var asked = 0
        for rule in text.components(separatedBy: "- alert: ").dropFirst() {
            let metrics = rule.matches(of: #/\btillbridge_[a-z_]+/#).map { String($0.output) }
            // `up` is Prometheus' own.
            guard let metric = metrics.first else { continue }
            let has = try #require(known[metric], "\(metric) has no row in the README's table")
            let grouped = rule.matches(of: #/by \(([a-z, ]+)\)/#).flatMap {
                $0.1.split(separator: ",").map { String($0.drop { $0 == " " }) }
            }
            let shown = rule.matches(of: #/\$labels\.([a-z]+)/#).map { String($0.1) }
            asked += grouped.count + shown.count
            let strange = Set(grouped + shown).subtracting(has)
            #expect(strange.isEmpty, "\(metric) has no label \(strange)")
        }
        #expect(asked >= 8)
    }

    @Test("say of each alert what is wrong and what to do")
    func annotations() throws {
        let text = try #require(SourceTree.text("docker/prometheus-rules.yaml"))
        let rules = text.components(separatedBy: "- alert: ").dropFirst()
        #expect(rules.count >= 8)
        for rule in rules {
            for part in ["expr: ", "severity: ", "summary: ", "action: "] {
                #expect(rule.contains(part), "\(rule.prefix(40))")
            }
        }
    }
}
