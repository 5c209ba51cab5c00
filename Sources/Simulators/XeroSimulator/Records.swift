/// A customer of the organisation.
struct Contact: Sendable {
    let id: XeroID
    var name = ""
    /// The customer's id at the till; settable through the API only.
    var number = ""
    var accountNumber = ""
    var email = ""
    var firstName = ""
    var lastName = ""
    var taxNumber = ""
    var companyNumber = ""
    var isArchived = false
    /// What a person merged it into; it is archived for good then.
    var mergedInto: XeroID?
    var isCustomer = false
    /// As JSON, as they came; empty means the vendor's blank lists.
    var phones: [UInt8] = []
    var addresses: [UInt8] = []
    var persons: [UInt8] = []
    var updated: Int64 = 0
    /// The contact inside an invoice's answer, ready to be copied: it is written with every invoice.
    var embedded: [UInt8] = []
}

/// Invoices and credit notes share their lines, numbers and tax; they live on two shelves.
enum DocumentKind: Sendable { case invoice, creditNote }

enum DocumentStatus: String, Sendable {
    case draft = "DRAFT", submitted = "SUBMITTED", authorised = "AUTHORISED", paid = "PAID", voided = "VOIDED"
    case deleted = "DELETED"
}

enum LineAmountTypes: String, Sendable { case exclusive = "Exclusive", inclusive = "Inclusive", noTax = "NoTax" }

struct Line: Sendable {
    var id = XeroID.zero
    var description = ""
    var quantity: Fixed?
    var unitAmount: Fixed?
    var itemCode = ""
    /// Index into the chart.
    var account: Int?
    /// Index into the tax rates.
    var tax: Int?
    var taxAmount = Fixed.zero
    var lineAmount = Fixed.zero
    var discountRate: Fixed?
    var discountAmount: Fixed?
    var tracking: [TrackingChoice] = []

    /// What may not change any more once money was applied.
    func hasSameAmounts(as other: Line) -> Bool {
        quantity == other.quantity && unitAmount == other.unitAmount && tax == other.tax
            && taxAmount == other.taxAmount && lineAmount == other.lineAmount
    }
}

/// Indices into the tracking categories and their options.
struct TrackingChoice: Hashable, Sendable {
    let category: Int
    let option: Int
}

struct Document: Sendable {
    let kind: DocumentKind
    /// Zero until it is stored.
    var id = XeroID.zero
    var number = ""
    var reference = ""
    var url = ""
    /// Index into the contacts.
    var contact = -1
    var date: Day
    var dueDate: Day?
    var status = DocumentStatus.draft
    var amountTypes = LineAmountTypes.exclusive
    var currency: String
    var lines: [Line] = []
    var subTotal = Fixed.zero
    var totalTax = Fixed.zero
    var total = Fixed.zero
    var paid = Fixed.zero
    var credited = Fixed.zero
    /// Indices of every payment ever made, deleted ones included.
    var payments: [Int] = []
    /// Indices of the allocations that touch it.
    var allocations: [Int] = []
    var history: [(at: Int64, details: String)] = []
    var attachments: [Attachment] = []
    var sentToContact = false
    var updated: Int64 = 0

    var due: Fixed { total - paid - credited }
    var hasMoneyApplied: Bool { paid.units != 0 || credited.units != 0 }
}

/// A file attached to a document, kept whole.
struct Attachment: Sendable {
    let id: XeroID
    let name: String
    let mediaType: String
    var body: [UInt8]
}

struct Payment: Sendable {
    let id: XeroID
    let kind: DocumentKind
    /// Index on the shelf of `kind`.
    let document: Int
    let account: Int
    let date: Day
    let amount: Fixed
    let reference: String
    var isDeleted = false
    /// Matched with a line of the bank statement.
    var isReconciled = false
    var updated: Int64
}

/// Part of a credit note set against an invoice.
struct Allocation: Sendable {
    let id: XeroID
    let creditNote: Int
    let invoice: Int
    let amount: Fixed
    let date: Day
    var isDeleted = false
}

struct Item: Sendable {
    let id: XeroID
    let code: String
    var name = ""
    var description = ""
    var unitPrice: Fixed?
    var accountCode = ""
    var taxType = ""
    var isSold = true
    var updated: Int64 = 0
}

/// All documents of one kind, with the two ways to find one.
struct Shelf: Sendable {
    var documents: [Document] = []
    private var byID: [XeroID: Int] = [:]
    private var byNumber: [String: Int] = [:]

    func index(of id: XeroID) -> Int? { byID[id] }
    func index(numbered number: String) -> Int? { byNumber[number] }

    mutating func append(_ document: Document) -> Int {
        let index = documents.count
        byID[document.id] = index
        if !document.number.isEmpty { byNumber[document.number] = index }
        documents.append(document)
        return index
    }

    mutating func replace(_ index: Int, with document: Document) {
        let former = documents[index].number
        if former != document.number {
            byNumber[former] = nil
            if !document.number.isEmpty { byNumber[document.number] = index }
        }
        documents[index] = document
    }
}
