package import Domain
import HTTP
import JSON

/// The ledger as the writer sees it.
package protocol Ledger: Sendable {
    /// Waits until a call may be made. Taken before a request is stored as sent: a wait for the allowance, which may be
    /// long, then holds no document.
    func reserve(_ purpose: CallPurpose) async throws -> CallPermit
    /// A reserved call that is not made after all.
    func giveBack(_ permit: CallPermit) async
    /// How long it surely takes no call; nil where it may. Makes none.
    func closed() async throws -> Duration?
    /// `PUT /Invoices` or `PUT /CreditNotes`: creates only; a used number is refused, never overwritten.
    func create(
        _ kind: LedgerDocument.Kind, _ body: [UInt8], key: String, permit: CallPermit
    ) async throws -> XeroReply
    func createPayments(_ body: [UInt8], key: String, permit: CallPermit) async throws -> XeroReply
    /// The documents of that kind that carry these numbers, at most ``LedgerDocument/Kind/numbersMax``.
    func documents(_ kind: LedgerDocument.Kind, numbers: [String]) async throws -> Lookup<[LedgerInvoice]>
    func document(_ kind: LedgerDocument.Kind, id: String) async throws -> Lookup<LedgerInvoice?>
    /// One payment by itself: only there is said whether it is reconciled. Nil where there is none.
    func payment(id: String) async throws -> Lookup<StandingPayment?>
    /// A call that changes what stands.
    func change(_ change: LedgerChange, key: String, permit: CallPermit) async throws -> XeroReply
    /// The last locked day: the later of the organisation's two lock dates.
    func lockedThrough() async throws -> Lookup<CalendarDate?>
    /// The contact with this `ContactNumber`.
    func contact(number: String) async throws -> Lookup<LedgerContact?>
    /// Creates a contact; the answer holds it or the ledger's sentences.
    func create(_ contact: NewContact, key: String) async throws -> Lookup<ElementResult>
}

/// Either what was asked for, or how the call failed.
package enum Lookup<Value: Sendable>: Sendable {
    case found(Value)
    case failed(XeroOutcome)
}

package struct LedgerInvoice: Sendable {
    package let id: String
    package let number: String
    package let status: String
    package let contactID: String?
    package let date: String?
    package let total: String?
    package let amountDue: String?
    /// Xero's names of its lines, in their order.
    package let lineIDs: [String]
    package let payments: [StandingPayment]
    /// Credit notes set against an invoice, or the invoices a credit note is set against.
    package let allocations: [StandingAllocation]

    package var isGone: Bool { status == "VOIDED" || status == "DELETED" }
}

/// Part of a credit note that settles an invoice.
package struct StandingAllocation: Sendable, Hashable {
    package let id: String?
    /// The credit note it is part of; nil where the credit note itself was read.
    package let creditNoteID: String?
    package let invoiceID: String?
    package let amount: String?
}

/// One change to what stands in the ledger: a payment or an allocation taken away, a document void or changed.
package struct LedgerChange: Sendable {
    package enum Method: String, Sendable { case post = "POST", put = "PUT", delete = "DELETE" }

    package let method: Method
    package let path: String
    package let body: [UInt8]?

    package init(method: Method, path: String, body: [UInt8]?) {
        self.method = method
        self.path = path
        self.body = body
    }
}

package struct StandingPayment: Sendable, Hashable {
    package let id: String
    package let amount: String?
    package let account: String?
    package let reference: String?
    package let date: CalendarDate?
    /// Matched with the bank's statement; said only where the payment was read by itself.
    package let isReconciled: Bool
}

/// A contact that is to be made: the venue's walk-in contact, or a customer.
package struct NewContact: Sendable {
    /// `ContactNumber`, at most 50 characters: of a customer, Kounta's id.
    package var number: String
    package var name: String
    package var firstName: String
    package var lastName: String
    package var email: String?

    /// What is longer than Xero takes is cut; a cut address would be another's, so it is left out.
    package init(number: String, name: String, firstName: String = "", lastName: String = "", email: String? = nil) {
        self.number = number
        self.name = name
        self.firstName = String(firstName.prefix(Self.lengthMax))
        self.lastName = String(lastName.prefix(Self.lengthMax))
        self.email = email.flatMap { $0.count > Self.lengthMax ? nil : $0 }
    }

    private static let lengthMax = 255

    /// As Xero takes a name: at most 255 characters, no angle brackets, no doubled spaces; never empty.
    package static func name(_ text: String, number: String) -> String {
        let words = text.split { $0.isWhitespace || $0 == "<" || $0 == ">" }
        return words.isEmpty ? "Customer \(number)" : String(words.joined(separator: " ").prefix(255))
    }
}

package struct LedgerContact: Sendable {
    package let id: String
    package let name: String
    package let isArchived: Bool
    /// The id of the contact that it was merged into.
    let mergedInto: String?

    fileprivate init?(_ element: JSON) {
        guard let id = element["ContactID"]?.string else { return nil }
        self.id = id
        name = element["Name"]?.string ?? ""
        isArchived = element["ContactStatus"]?.string == "ARCHIVED"
        mergedInto = element["MergedToContactID"]?.string
    }
}

extension LedgerDocument.Kind {
    /// `GET /Invoices?InvoiceNumbers=` takes at most so many. Credit notes have no such list: they are asked for one by
    /// one, which costs calls, but only after an unclear answer.
    package var numbersMax: Int { self == .invoice ? 40 : 1 }

    package var endpoint: StaticString { self == .invoice ? "Invoices" : "CreditNotes" }
    package var idField: StaticString { self == .invoice ? "InvoiceID" : "CreditNoteID" }
    fileprivate var numberField: StaticString { self == .invoice ? "InvoiceNumber" : "CreditNoteNumber" }
}

extension XeroClient: Ledger {
    package func create(
        _ kind: LedgerDocument.Kind, _ body: [UInt8], key: String, permit: CallPermit
    ) async throws -> XeroReply {
        try await reply(
            .put, "/\(kind.endpoint)?summarizeErrors=false&unitdp=4", body: body, idempotencyKey: key, permit: permit)
    }

    package func createPayments(_ body: [UInt8], key: String, permit: CallPermit) async throws -> XeroReply {
        try await reply(.put, "/Payments?summarizeErrors=false", body: body, idempotencyKey: key, permit: permit)
    }

    package func documents(
        _ kind: LedgerDocument.Kind, numbers: [String]
    ) async throws -> Lookup<[LedgerInvoice]> {
        let filter: String
        switch kind {
        case .invoice: filter = "InvoiceNumbers=" + numbers.map(Self.percentEncoded).joined(separator: ",")
        case .creditNote:
            let terms = numbers.map { "\(kind.numberField)==\"\($0)\"" }
            filter = "where=" + Self.percentEncoded(terms.joined(separator: " OR "))
        }
        return try await lookUp("/\(kind.endpoint)?\(filter)&page=1&pageSize=100") { json in
            json[kind.endpoint]?.elements.compactMap { LedgerInvoice($0, kind) }
        }
    }

    package func document(_ kind: LedgerDocument.Kind, id: String) async throws -> Lookup<LedgerInvoice?> {
        try await lookUp("/\(kind.endpoint)/\(Self.percentEncoded(id))") { json in
            json[kind.endpoint].map { $0.elements.first.flatMap { LedgerInvoice($0, kind) } }
        }
    }

    package func payment(id: String) async throws -> Lookup<StandingPayment?> {
        try await lookUp("/Payments/\(Self.percentEncoded(id))") { json in
            json["Payments"].map { $0.elements.first.flatMap { StandingPayment($0) } }
        }
    }

    package func change(_ change: LedgerChange, key: String, permit: CallPermit) async throws -> XeroReply {
        let method: HTTPMethod =
            switch change.method {
            case .post: .post
            case .put: .put
            case .delete: .delete
            }
        // Xero keeps keys for calls with a body only.
        return try await reply(
            method, change.path, body: change.body, idempotencyKey: change.body == nil ? nil : key, permit: permit)
    }

    package func lockedThrough() async throws -> Lookup<CalendarDate?> {
        try await lookUp("/Organisation") { json in
            guard let organisation = json["Organisations"]?.elements.first else { return nil }
            let days = ["PeriodLockDate", "EndOfYearLockDate"].compactMap { field in
                organisation[key: field]?.string.flatMap(Self.day(ofWire:))
            }
            return .some(days.max())
        }
    }

    /// `/Date(1743379200000+0000)/`: milliseconds since 1970, as Xero writes days.
    static func day(ofWire text: String) -> CalendarDate? {
        guard text.hasPrefix("/Date("), let end = text.dropFirst(7).firstIndex(where: { "+-)".contains($0) }),
            let milliseconds = Int64(text[text.index(text.startIndex, offsetBy: 6)..<end])
        else { return CalendarDate(String(text.prefix(10))) }
        let day = milliseconds >= 0 ? milliseconds / 86_400_000 : (milliseconds - 86_399_999) / 86_400_000
        return CalendarDate(daysSince1970: Int(day))
    }

    package func contact(number: String) async throws -> Lookup<LedgerContact?> {
        let filter = Self.percentEncoded("ContactNumber==\"\(number)\"")
        var path = "/Contacts?where=\(filter)&includeArchived=true"
        var isFirst = true
        // A contact that was merged into another is archived for good and names it: that one has taken its place.
        for _ in 0..<Self.mergesMax {
            let found = try await lookUp(path) { json in
                json["Contacts"].map { list in
                    let contacts = list.elements
                        .filter { !isFirst || $0["ContactNumber"]?.string == number }.compactMap(LedgerContact.init)
                    return contacts.first { !$0.isArchived } ?? contacts.first
                }
            }
            guard case .found(let contact?) = found, contact.isArchived, let other = contact.mergedInto else {
                return found
            }
            path = "/Contacts?IDs=\(Self.percentEncoded(other))&includeArchived=true"
            isFirst = false
        }
        return .failed(.refused(status: 200, "it was merged more than \(Self.mergesMax) times in a row"))
    }

    /// So many merges of merged contacts are followed: more would be a ring.
    private static let mergesMax = 6

    package func create(_ contact: NewContact, key: String) async throws -> Lookup<ElementResult> {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("Contacts")
            writer.array { writer in
                writer.object { writer in
                    writer.field("Name", contact.name)
                    writer.field("ContactNumber", contact.number)
                    if !contact.firstName.isEmpty { writer.field("FirstName", contact.firstName) }
                    if !contact.lastName.isEmpty { writer.field("LastName", contact.lastName) }
                    if let email = contact.email { writer.field("EmailAddress", email) }
                }
            }
        }
        let outcome = try await call(
            .put, "/Contacts?summarizeErrors=false", body: writer.bytes, idempotencyKey: key)
        guard case .answered(let response) = outcome else { return .failed(outcome) }
        guard let result = ElementResult.read("Contacts", idField: "ContactID", from: response.body)?.first else {
            return .failed(.unknown("the answer to PUT /Contacts is not understood"))
        }
        return .found(result)
    }

    /// - Parameter permit: of a call that waits behind others than its path says.
    func lookUp<Value: Sendable>(
        _ path: String, permit: CallPermit? = nil, _ read: (JSON) -> Value?
    ) async throws -> Lookup<Value> {
        let outcome = try await call(.get, path, permit: permit)
        guard case .answered(let response) = outcome else { return .failed(outcome) }
        guard let json = try? JSON(parsing: response.body), let value = read(json) else {
            return .failed(.unknown("the answer to GET \(path.prefix { $0 != "?" }) is not understood"))
        }
        return .found(value)
    }

    static func percentEncoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            let isPlain =
                byte < 0x80 && (scalar.properties.isAlphabetic || (0x30...0x39).contains(byte) || byte == 0x2D)
            result += isPlain ? String(Character(scalar)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return result
    }
}

extension LedgerInvoice {
    init?(_ json: JSON, _ kind: LedgerDocument.Kind) {
        guard let id = json[kind.idField]?.string, let number = json[kind.numberField]?.string else { return nil }
        self.id = id
        self.number = number
        status = json["Status"]?.string ?? ""
        contactID = json["Contact"]?["ContactID"]?.string
        date = json["DateString"]?.string.map { String($0.prefix(10)) }
        total = json["Total"]?.numberText
        amountDue = (json["AmountDue"] ?? json["RemainingCredit"])?.numberText
        lineIDs = (json["LineItems"]?.elements ?? []).compactMap { $0["LineItemID"]?.string }
        payments = (json["Payments"]?.elements ?? []).compactMap { StandingPayment($0) }
        let allocated = json[kind == .invoice ? "CreditNotes" : "Allocations"]?.elements ?? []
        allocations = allocated.filter { $0["IsDeleted"]?.bool != true }.map { allocation in
            StandingAllocation(
                id: allocation["AllocationID"]?.string, creditNoteID: allocation["CreditNoteID"]?.string,
                invoiceID: allocation["Invoice"]?["InvoiceID"]?.string,
                amount: (allocation["Amount"] ?? allocation["AppliedAmount"])?.numberText)
        }
    }
}

extension StandingPayment {
    /// Nil for one that was taken away.
    init?(_ json: JSON) {
        guard let id = json["PaymentID"]?.string, json["Status"]?.string != "DELETED" else { return nil }
        self.id = id
        amount = json["Amount"]?.numberText
        account = json["Account"]?["Code"]?.string
        reference = json["Reference"]?.string
        date = json["Date"]?.string.flatMap(XeroClient.day(ofWire:))
        isReconciled = json["IsReconciled"]?.bool ?? false
    }
}
