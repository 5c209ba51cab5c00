import Foundation
import Yams

/// The venues of a configuration, as the proof needs them: which site's orders carry which prefix in which
/// organisation.
struct FleetPlan: Sendable {
    struct Venue: Sendable {
        let site: String
        let name: String
        let prefix: String
        let organisation: String
    }

    struct TimeOfDay: Sendable {
        let hour: Int
        let minute: Int
    }

    struct Organisation: Sendable {
        let key: String
        let name: String
        let tenant: String
        let currency: String
        let timezone: String
        /// When a trading day ends.
        let cutOff: TimeOfDay
    }

    let venues: [Venue]
    let organisations: [Organisation]
    let companies: [String]

    init(configuration path: String) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        guard let root = try compose(yaml: text) else { throw HarnessError("\(path) is empty") }
        organisations = (root["organisations"]?.array() ?? []).map { node in
            Organisation(
                key: node["key"]?.string ?? "", name: node["name"]?.string ?? "", tenant: node["tenant"]?.string ?? "",
                currency: node["currency"]?.string ?? "AUD", timezone: node["timezone"]?.string ?? "Australia/Sydney",
                cutOff: Self.timeOfDay(node["posting"]?["cut_off"]?.string) ?? TimeOfDay(hour: 4, minute: 0))
        }
        let companyNodes = root["companies"]?.array() ?? []
        companies = companyNodes.map { $0["key"]?.string ?? "" }
        venues = companyNodes.flatMap { company in
            (company["venues"]?.array() ?? []).map { venue in
                Venue(
                    site: venue["site"]?.string ?? "", name: venue["name"]?.string ?? "",
                    prefix: venue["prefix"]?.string ?? "", organisation: company["organisation"]?.string ?? "")
            }
        }
    }

    /// `04:00`.
    private static func timeOfDay(_ text: String?) -> TimeOfDay? {
        let parts = (text ?? "").split(separator: ":").compactMap { Int($0) }
        return parts.count == 2 ? TimeOfDay(hour: parts[0], minute: parts[1]) : nil
    }
}
