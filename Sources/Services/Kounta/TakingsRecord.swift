package import Domain
import JSON
import Money

/// Reads Kounta's end-of-day takings (a `reconciliation`) into what was recorded and counted, by payment method.
package struct TakingsRecord: Sendable {
    package let id: String
    package let site: SiteID
    package let register: String?
    package let scope: TakingsScope
    /// Somebody, or the vendor's own add-on, has marked it as carried to the ledger.
    package let isProcessed: Bool
    package let createdAt: Instant
    package let takings: [Takings]

    /// - Throws: ``Park`` of class `parse` or `value`, with the field that cannot be read.
    package init(from body: [UInt8]) throws(Park) {
        let json: JSON
        do { json = try JSON(parsing: body) } catch {
            throw Park(.parse, "The takings from Kounta cannot be read: \(error).", remedy: Self.remedy)
        }
        guard let id = json["id"]?.identifierText, let lists = json["reconciliations"], lists.kind == .array else {
            throw Park(
                .parse, "The record from Kounta is no takings: it lacks `id` or `reconciliations`.",
                remedy: Self.remedy)
        }
        self.id = id
        guard let site = (json["site"]?["id"] ?? json["site_id"])?.identifierText else {
            throw Self.unusable("site", id)
        }
        guard let createdAt = json["created_at"]?.string.flatMap({ Instant(iso8601: $0) }) else {
            throw Self.unusable("created_at", id)
        }
        self.site = SiteID(site)
        self.createdAt = createdAt
        register = json["register"]?["id"]?.identifierText
        scope = Self.scope(of: json)
        isProcessed = json["processed"]?.isTruthful ?? false
        var takings: [Takings] = []
        for list in lists.elements {
            let method = list["payment_method"]
            guard let name = method?["name"]?.filledString ?? method?["id"]?.identifierText else {
                throw Self.unusable("payment_method", id)
            }
            guard let recorded = list["takings"]?["recorded"]?.cents else { throw Self.unusable("recorded", id, name) }
            guard let counted = list["takings"]?["counted"]?.cents else { throw Self.unusable("counted", id, name) }
            takings.append(Takings(method: name, recorded: recorded, counted: counted))
        }
        self.takings = takings
    }

    /// Newer records name their level. Older ones say whether registers are counted one by one; where they do not, one
    /// that names a register is taken for that register's alone: never for more than it may be.
    private static func scope(of json: JSON) -> TakingsScope {
        let register = json["register"]?["id"]?.identifierText
        guard let level = json["reconciliation_level"]?.filledString else {
            if json["register_level_reconciliation"]?.isTruthful == false { return .site }
            return register.map { .register($0) } ?? .site
        }
        return switch level {
        case "site": .site
        case "register": register.map { .register($0) } ?? .unknown
        case "staff_member": (json["staff_member"]?["id"]?.identifierText).map { .staff($0) } ?? .unknown
        default: .unknown
        }
    }

    private static let remedy = "Look at the day's takings in Kounta, then replay."

    private static func unusable(_ field: String, _ id: String, _ method: String? = nil) -> Park {
        Park(
            .value,
            "Takings \(id)\(method.map { ", \($0)" } ?? ""): the field `\(field)` is missing or cannot be read.",
            remedy: remedy)
    }
}

extension JSON {
    /// An amount in whole cents, as number or text; nil where it is none.
    fileprivate var cents: Money? { text.flatMap { ExactDecimal($0) }.flatMap { Money(exactly: $0) } }
}
