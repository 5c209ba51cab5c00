import Foundation
import Yams

/// A configuration with every venue in daily-summary mode from the first day on, and all else as it was.
enum DailyConfiguration {
    /// Writes it, so that the workers can be started with it.
    ///
    /// - Throws: where the file cannot be read, or has no organisations.
    static func write(from source: String, to target: String) throws {
        guard var root = try compose(yaml: try String(contentsOfFile: source, encoding: .utf8)),
            var organisations = root["organisations"]?.sequence
        else { throw HarnessError("\(source) has no organisations") }
        for index in organisations.indices { organisations[index] = summarised(organisations[index]) }
        root["organisations"] = .sequence(organisations)
        if var companies = root["companies"]?.sequence {
            for index in companies.indices {
                guard var venues = companies[index]["venues"]?.sequence else { continue }
                for venue in venues.indices where venues[venue]["posting"] != nil {
                    venues[venue] = summarised(venues[venue])
                }
                companies[index]["venues"] = .sequence(venues)
            }
            root["companies"] = .sequence(companies)
        }
        try FileManager.default.createDirectory(
            atPath: (target as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try serialize(node: root).write(toFile: target, atomically: true, encoding: .utf8)
    }

    private static func summarised(_ node: Node) -> Node {
        var node = node
        var posting = node["posting"]?.mapping ?? Node.Mapping([])
        posting["mode"] = "daily_summary"
        posting["changes"] = nil
        node["posting"] = .mapping(posting)
        return node
    }
}
