/// Identifiers are types, so that a company's id can never be passed where a venue's is wanted.
package protocol Identifier: Sendable, Hashable, CustomStringConvertible, Comparable {
    var text: String { get }
    init(_ text: String)
}

extension Identifier {
    package var description: String { text }
    package static func < (a: Self, b: Self) -> Bool { a.text < b.text }
}

/// The operator's own short name of a Xero organisation; part of its queue's name.
package struct OrganisationKey: Identifier {
    package let text: String
    package init(_ text: String) { self.text = text }
}

/// The operator's own short name of a Kounta company.
package struct CompanyKey: Identifier {
    package let text: String
    package init(_ text: String) { self.text = text }
}

/// Kounta's id of a site. Text, because Kounta's ids outgrow 32 bits and only their identity matters.
package struct SiteID: Identifier {
    package let text: String
    package init(_ text: String) { self.text = text }
}

/// Kounta's id of an order.
package struct OrderID: Identifier {
    package let text: String
    package init(_ text: String) { self.text = text }
}

/// The number a document carries in Xero: `<venue prefix>-<order id>[-c<n>][-r<revision>]`, unique in its organisation.
package struct DocumentNumber: Identifier {
    package let text: String
    package init(_ text: String) { self.text = text }

    package init(prefix: String, order: OrderID, revision: Int = 0) {
        text = revision == 0 ? "\(prefix)-\(order)" : "\(prefix)-\(order)-r\(revision)"
    }

    /// - Parameter slot: which of the order's documents it is.
    package init(prefix: String, order: OrderID, slot: DocumentSlot, revision: Int) {
        self.init(prefix: prefix, order: OrderID(order.text + slot.suffix), revision: revision)
    }
}

/// A document's row in the fleet's own table.
package struct DocumentID: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let value: Int64
    package init(_ value: Int64) { self.value = value }
    package var description: String { String(value) }
    package static func < (a: DocumentID, b: DocumentID) -> Bool { a.value < b.value }
}

/// SHA-256 of a content. Two records with one hash are one record.
package struct ContentHash: Sendable, Hashable, CustomStringConvertible {
    package let bytes: [UInt8]

    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    package init?(hexadecimal: String) {
        let digits = hexadecimal.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count == 64, !digits.contains(nil) else { return nil }
        let values = digits.compactMap(\.self)
        bytes = stride(from: 0, to: 64, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }

    package var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

/// What kind of record of Kounta's a message or a row holds.
package enum SourceKind: String, Sendable, Hashable, CaseIterable {
    case order
    /// What was counted in a till at the end of a day.
    case takings
    /// No record of Kounta's: a venue's trading day, of which a summary or an adjustment is made.
    case day
}

/// Names one record of Kounta's for ever.
package struct SourceKey: Sendable, Hashable, CustomStringConvertible {
    package let company: CompanyKey
    package let kind: SourceKind
    package let id: String

    package init(company: CompanyKey, kind: SourceKind, id: String) {
        self.company = company
        self.kind = kind
        self.id = id
    }

    package var description: String { "\(kind.rawValue) \(id) of \(company)" }
}
