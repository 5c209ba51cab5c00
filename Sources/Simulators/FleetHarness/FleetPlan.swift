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

    struct Organisation: Sendable {
        let key: String
        let name: String
        let tenant: String
        let currency: String
        let timezone: String
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
                currency: node["currency"]?.string ?? "AUD", timezone: node["timezone"]?.string ?? "Australia/Sydney")
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
}
