package import Domain
package import HTTP
import JSON

/// What one call to Xero came to, in the terms that decide what happens next.
package enum XeroOutcome: Sendable {
    case answered(HTTPResponse)
    /// Refused before anything happened; the organisation rests for so long.
    case limited(retryAfter: Duration, problem: String)
    /// Nothing reached Xero.
    case neverSent(String)
    /// It may or may not have happened: time-out, dropped connection, 500.
    case unknown(String)
    /// The organisation is offline (503).
    case offline(String)
    /// The organisation was disconnected or the credential is refused: a person is needed.
    case disconnected(String)
    /// Xero will not take this request, and would not next time either.
    case refused(status: Int, String)
}

/// What a call that changes the ledger came to, with Xero's own name for it, whatever it came to.
package struct XeroReply: Sendable {
    package let outcome: XeroOutcome
    /// `Xero-Correlation-Id`: what Xero's support asks for. Nil where no answer came.
    package let correlationID: String?

    package init(_ outcome: XeroOutcome, correlationID: String? = nil) {
        self.outcome = outcome
        self.correlationID = correlationID
    }
}

extension XeroOutcome {
    private static let waitWithoutHint = Duration.seconds(5)
    /// No limit lasts longer than a day, whatever a header says.
    private static let waitMax: Int64 = 86_400

    init(_ response: HTTPResponse) {
        // Not looked for in a good answer: that would read fifty invoices for nothing.
        if (200..<300).contains(response.status) {
            self = .answered(response)
            return
        }
        let text = Self.sentence(response)
        switch response.status {
        case 429:
            let seconds = response.headers["Retry-After"].flatMap { Int64($0) }
            self = .limited(
                retryAfter: seconds.map { .seconds(min(max($0, 1), Self.waitMax)) } ?? Self.waitWithoutHint,
                problem: response.headers["X-Rate-Limit-Problem"] ?? "unnamed")
        case 401, 403: self = .disconnected(text)
        case 408: self = .unknown("408: \(text)")
        case 503: self = .offline(text)
        case 500...: self = .unknown("\(response.status): \(text)")
        default: self = .refused(status: response.status, text)
        }
    }

    /// Xero's own words, from whatever shape the body has: JSON of three kinds, plain text, HTML or nothing.
    static func sentence(_ response: HTTPResponse) -> String {
        guard !response.body.isEmpty else { return "no reason given" }
        guard let json = try? JSON(parsing: response.body) else {
            return String(decoding: response.body.prefix(300), as: UTF8.self)
        }
        let words = json["Elements"]?.elements.flatMap { $0["ValidationErrors"]?.elements ?? [] }
            .compactMap { ($0["Message"] ?? $0["Description"])?.string } ?? []
        if !words.isEmpty { return words.joined(separator: " ") }
        return (json["Detail"] ?? json["Message"] ?? json["Title"])?.string ?? "no reason given"
    }
}

/// One element of a batch's answer.
package struct ElementResult: Sendable {
    /// InvoiceNumber or CreditNoteNumber; nil for payments, which have none.
    package let number: String?
    /// The element's id; nil where it was refused (Xero then sends zeros).
    package let id: String?
    /// Payments: the invoice or credit note and the account they were booked to, which is what tells them apart.
    package let documentID: String?
    package let account: String?
    /// Payments: the day they are dated.
    package let date: CalendarDate?
    /// Xero's sentences about this element; empty where it was accepted.
    package let errors: [String]
    /// Exact digits of `Total` or `Amount`.
    package let amount: String?

    package var isAccepted: Bool { id != nil && errors.isEmpty }

    private static let zeroID = "00000000-0000-0000-0000-000000000000"

    /// The elements of `{"Invoices":[…]}`; nil where the body is not that.
    package static func read(_ name: StaticString, idField: StaticString, from body: [UInt8]) -> [ElementResult]? {
        guard let json = try? JSON(parsing: body), let list = json[name], list.kind == .array else { return nil }
        return list.elements.map { element in
            let errors = (element["ValidationErrors"]?.elements ?? [])
                .compactMap { ($0["Message"] ?? $0["Description"])?.string }
            let hasErrors = element["StatusAttributeString"]?.string == "ERROR" || element["HasErrors"]?.bool == true
            let id = element[idField]?.string
            let documentID = (element["Invoice"]?["InvoiceID"] ?? element["CreditNote"]?["CreditNoteID"])?.string
            return ElementResult(
                number: (element["InvoiceNumber"] ?? element["CreditNoteNumber"])?.string,
                id: id == zeroID ? nil : id,
                documentID: documentID, account: element["Account"]?["Code"]?.string,
                date: documentID == nil ? nil : element["Date"]?.string.flatMap(XeroClient.day(ofWire:)),
                errors: errors.isEmpty && hasErrors ? ["Xero gave no reason."] : errors,
                amount: (element["Total"] ?? element["Amount"])?.numberText)
        }
    }
}
