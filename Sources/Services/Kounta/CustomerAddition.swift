package import Domain
import JSON

/// What the poller adds to an order's record where rules ask for it: of the customer's own record. It is the last
/// member of the record, after everything that Kounta sent, so that the record as it came can be had back to the byte:
/// it alone says whether an order has changed.
package enum CustomerAddition: Sendable, Hashable {
    case read(tags: [String], email: String?)
    /// Kounta no longer has the customer.
    case gone
    /// Kounta did not show the record.
    case unread(cause: String)

    private static let key: StaticString = "tillbridge_customer"
    private static let opening = Array(",\"tillbridge_customer\":".utf8)
    /// Of a customer; in Kounta people have a handful.
    private static let tagsMax = 100
    /// Letters of one tag, an address or a cause.
    private static let lettersMax = 255

    /// Nil where nothing was added, or somebody has put there what this version does not know.
    init?(in record: JSON) {
        guard let addition = record[Self.key], addition.kind == .object else { return nil }
        if let cause = addition["unread"]?.string {
            self = .unread(cause: cause)
        } else if addition["gone"]?.isTruthful ?? false {
            self = .gone
        } else {
            self = .read(tags: addition["tags"]?.names ?? [], email: addition["email"]?.filledString)
        }
    }

    /// The customer whom an order's record names; nil where it names none, cannot be read, or says that the order was
    /// deleted: then nobody asks who bought it.
    package static func customer(in record: [UInt8]) -> Customer? {
        guard let json = try? JSON(parsing: record), json.kind == .object, !(json["deleted"]?.isTruthful ?? false),
            let id = json.orderID
        else { return nil }
        return OrderRecord(json: json, id: id).customer()
    }

    /// - Parameter record: of an order, as Kounta sent it.
    package func added(to record: [UInt8]) -> [UInt8] {
        guard let end = record.lastIndex(of: UInt8(ascii: "}")) else { return record }
        var writer = JSONWriter(capacity: 200)
        write(to: &writer)
        return record[..<end] + Self.opening + writer.bytes + record[end...]
    }

    /// A record as Kounta sent it.
    package static func removed(from record: [UInt8]) -> [UInt8] {
        guard let value = (try? JSON(parsing: record))?[key]?.raw else { return record }
        let start = value.startIndex - opening.count
        guard start > 0, record[start..<value.startIndex].elementsEqual(opening) else { return record }
        return Array(record[..<start] + record[value.endIndex...])
    }

    private func write(to writer: inout JSONWriter) {
        writer.object { writer in
            switch self {
            case .read(let tags, let email):
                writer.key("tags")
                writer.array { writer in
                    for tag in tags.prefix(Self.tagsMax) { writer.string(String(tag.prefix(Self.lettersMax))) }
                }
                if let email { writer.field("email", String(email.prefix(Self.lettersMax))) }
            case .gone: writer.field("gone", true)
            case .unread(let cause): writer.field("unread", String(cause.prefix(Self.lettersMax)))
            }
        }
    }

    /// What the order itself says of its customer comes first.
    func complete(_ order: inout Order) {
        guard var customer = order.customer else { return }
        switch self {
        case .read(let tags, let email):
            order.customerKnowledge = .read
            if customer.tags.isEmpty { customer.tags = tags }
            customer.email = customer.email ?? email
            order.customer = customer
        case .gone: order.customerKnowledge = .gone
        case .unread(let cause): order.customerKnowledge = .unreadable(cause: cause)
        }
    }
}
