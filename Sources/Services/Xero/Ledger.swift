import HTTP
import JSON

/// The ledger as the writer sees it.
package protocol Ledger: Sendable {
    /// Waits until a call may be made. Taken before a request is stored as sent: a wait for the allowance, which may be
    /// long, then holds no document.
    func reserve(_ purpose: CallPurpose) async throws -> CallPermit
    /// A reserved call that is not made after all.
    func giveBack(_ permit: CallPermit) async
    /// `PUT /Invoices`: creates only; a used number is refused, never overwritten.
    func createInvoices(_ body: [UInt8], key: String, permit: CallPermit) async throws -> XeroOutcome
    func createPayments(_ body: [UInt8], key: String, permit: CallPermit) async throws -> XeroOutcome
    /// The invoices that carry these numbers, at most ``invoiceNumbersMax``. Nil: the call failed, as `outcome` says.
    func invoices(numbers: [String]) async throws -> Lookup<[LedgerInvoice]>
    /// The payments of one invoice.
    func invoice(id: String) async throws -> Lookup<LedgerInvoice?>
    /// The contact with this `ContactNumber`.
    func contact(number: String) async throws -> Lookup<LedgerContact?>
    /// Creates a contact; the answer holds it or the ledger's sentences.
    func createContact(number: String, name: String, key: String) async throws -> Lookup<ElementResult>
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
    package let payments: [LedgerPayment]
}

package struct LedgerPayment: Sendable, Hashable {
    package let id: String
    package let amount: String?
    package let account: String?
    package let reference: String?
}

package struct LedgerContact: Sendable {
    package let id: String
    package let name: String
    package let isArchived: Bool
}

/// `GET /Invoices?InvoiceNumbers=` takes at most so many.
package let invoiceNumbersMax = 40

extension XeroClient: Ledger {
    package func createInvoices(_ body: [UInt8], key: String, permit: CallPermit) async throws -> XeroOutcome {
        try await call(
            .put, "/Invoices?summarizeErrors=false&unitdp=4", body: body, idempotencyKey: key, permit: permit)
    }

    package func createPayments(_ body: [UInt8], key: String, permit: CallPermit) async throws -> XeroOutcome {
        try await call(.put, "/Payments?summarizeErrors=false", body: body, idempotencyKey: key, permit: permit)
    }

    package func invoices(numbers: [String]) async throws -> Lookup<[LedgerInvoice]> {
        let list = numbers.map(Self.percentEncoded).joined(separator: ",")
        return try await lookUp("/Invoices?InvoiceNumbers=\(list)&page=1&pageSize=100") { json in
            json["Invoices"]?.elements.compactMap(LedgerInvoice.init)
        }
    }

    package func invoice(id: String) async throws -> Lookup<LedgerInvoice?> {
        try await lookUp("/Invoices/\(Self.percentEncoded(id))") { json in
            json["Invoices"].map { $0.elements.first.flatMap(LedgerInvoice.init) }
        }
    }

    package func contact(number: String) async throws -> Lookup<LedgerContact?> {
        let filter = Self.percentEncoded("ContactNumber==\"\(number)\"")
        return try await lookUp("/Contacts?where=\(filter)&includeArchived=true") { json in
            json["Contacts"].map { list in
                let contacts = list.elements.compactMap { element -> LedgerContact? in
                    guard element["ContactNumber"]?.string == number, let id = element["ContactID"]?.string else {
                        return nil
                    }
                    return LedgerContact(
                        id: id, name: element["Name"]?.string ?? "",
                        isArchived: element["ContactStatus"]?.string == "ARCHIVED")
                }
                return contacts.first { !$0.isArchived } ?? contacts.first
            }
        }
    }

    package func createContact(number: String, name: String, key: String) async throws -> Lookup<ElementResult> {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("Contacts")
            writer.array { writer in
                writer.object { writer in
                    writer.field("Name", name)
                    writer.field("ContactNumber", number)
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

    private func lookUp<Value: Sendable>(
        _ path: String, _ read: (JSON) -> Value?
    ) async throws -> Lookup<Value> {
        let outcome = try await call(.get, path)
        guard case .answered(let response) = outcome else { return .failed(outcome) }
        guard let json = try? JSON(parsing: response.body), let value = read(json) else {
            return .failed(.unknown("the answer to GET \(path.prefix { $0 != "?" }) is not understood"))
        }
        return .found(value)
    }

    private static func percentEncoded(_ text: String) -> String {
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
    init?(_ json: JSON) {
        guard let id = json["InvoiceID"]?.string, let number = json["InvoiceNumber"]?.string else { return nil }
        self.id = id
        self.number = number
        status = json["Status"]?.string ?? ""
        contactID = json["Contact"]?["ContactID"]?.string
        date = json["DateString"]?.string.map { String($0.prefix(10)) }
        total = json["Total"]?.numberText
        amountDue = json["AmountDue"]?.numberText
        payments = (json["Payments"]?.elements ?? []).compactMap { payment in
            guard let id = payment["PaymentID"]?.string, payment["Status"]?.string != "DELETED" else { return nil }
            return LedgerPayment(
                id: id, amount: payment["Amount"]?.numberText, account: payment["Account"]?["Code"]?.string,
                reference: payment["Reference"]?.string)
        }
    }
}
