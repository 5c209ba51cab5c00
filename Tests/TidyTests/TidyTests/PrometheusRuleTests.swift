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
