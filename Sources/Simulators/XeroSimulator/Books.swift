internal import JSON

/// The ledger of one organisation: accounts, taxes, contacts, documents, payments. A plain value without clock, lock
/// or network; `Organisation` owns one and brings it the calls one at a time.
///
/// Records refer to each other by index into the arrays. Nothing is ever removed, so an index stays good; deleting
/// sets a mark, as in the vendor's ledger.
struct Books: Sendable {
    var settings: OrganisationSettings
    var ids: SeededGenerator
    var accounts: [Account]
    let taxRates: [TaxRate]
    var tracking: [TrackingCategory]
    var contacts: [Contact] = []
    var invoices = Shelf()
    var creditNotes = Shelf()
    var payments: [Payment] = []
    var allocations: [Allocation] = []
    var items: [Item] = []

    private(set) var accountsByCode: [String: Int] = [:]
    private(set) var accountsByID: [XeroID: Int] = [:]
    private(set) var taxesByType: [String: Int] = [:]
    private(set) var venues: [String: Int] = [:]
    var contactsByID: [XeroID: Int] = [:]
    /// Lower-case names of the active contacts.
    var contactsByName: [String: Int] = [:]
    var contactsByNumber: [String: Int] = [:]
    var paymentsByID: [XeroID: Int] = [:]
    var itemsByCode: [String: Int] = [:]
    private var lastNumber = 0

    init(_ settings: OrganisationSettings, seed: UInt64) {
        self.settings = settings
        ids = SeededGenerator(seed: seed ^ digest(settings.tenantID.utf8))
        accounts = settings.country.chart(&ids)
        taxRates = settings.country.taxRates
        tracking = [TrackingCategory(id: ids.identifier(), name: "Venue", options: [])]
        for (index, account) in accounts.enumerated() {
            accountsByCode[account.code] = index
            accountsByID[account.id] = index
        }
        for (index, rate) in taxRates.enumerated() { taxesByType[rate.type] = index }
        for venue in settings.venues { addVenue(venue) }
    }

    mutating func addVenue(_ name: String) {
        guard venues[name] == nil else { return }
        venues[name] = tracking[0].options.count
        let id = ids.identifier()
        var writer = JSONWriter(capacity: 256)
        writer.object { writer in
            writer.field("Name", tracking[0].name)
            writer.field("Option", name)
            writer.field("TrackingCategoryID", tracking[0].id.text)
            writer.field("TrackingOptionID", id.text)
        }
        tracking[0].options.append(TrackingOption(id: id, name: name, embedded: writer.bytes))
    }

    /// The number of an invoice that came without one.
    mutating func nextNumber(_ kind: DocumentKind) -> String {
        while true {
            lastNumber += 1
            let digits = String(lastNumber)
            let number = (kind == .invoice ? "INV-" : "CN-") + String(repeating: "0", count: max(0, 4 - digits.count))
                + digits
            if shelf(kind).index(numbered: number) == nil { return number }
        }
    }

    func shelf(_ kind: DocumentKind) -> Shelf { kind == .invoice ? invoices : creditNotes }

    func document(_ kind: DocumentKind, _ index: Int) -> Document {
        kind == .invoice ? invoices.documents[index] : creditNotes.documents[index]
    }

    /// Changes a document in place.
    mutating func change(_ kind: DocumentKind, _ index: Int, _ body: (inout Document) -> Void) {
        switch kind {
        case .invoice: body(&invoices.documents[index])
        case .creditNote: body(&creditNotes.documents[index])
        }
    }

    /// The account meant by `Code` or `AccountID`; nil where it is unknown.
    func account(code: String?, id: String?) -> Int? {
        if let code { return accountsByCode[code] }
        return id.flatMap { XeroID($0) }.flatMap { accountsByID[$0] }
    }

    /// Refuses a date inside a closed period, with the vendor's sentence.
    func checkLocks(_ day: Day) throws(Refusal) {
        if let lock = settings.periodLockDate, day <= lock {
            throw Refusal(
                "The document date cannot be before the period lock date, currently set at \(lock.text)")
        }
        if let lock = settings.endOfYearLockDate, day <= lock {
            throw Refusal(
                "The document date cannot be before the end of year lock date, currently set at \(lock.text)")
        }
    }
}

/// An element of a batch, after it was tried.
enum Saved {
    case stored(Int)
    /// With the element as it came, and what stands in its place where it named an existing record.
    case refused(JSON, existing: Int?, messages: [String])

    var isRefused: Bool { if case .refused = self { true } else { false } }
}

extension JSON {
    /// A decimal number, also one inside a string; nil where the member is absent.
    func fixed(_ key: StaticString) throws(Refusal) -> Fixed? {
        guard let value = self[key] else { return nil }
        let digits = value.kind == .string ? value.raw.dropFirst().dropLast() : value.raw
        if value.kind == .string, digits.isEmpty { return nil }
        guard value.kind == .number || value.kind == .string, let fixed = Fixed(digits: digits) else {
            throw Refusal("\(key) is not a number the ledger can hold")
        }
        return fixed
    }

    func day(_ key: StaticString) throws(Refusal) -> Day? {
        guard let text = self[key]?.string, !text.isEmpty else { return nil }
        guard let day = Day(text: text) else { throw Refusal("\(key) is not a date") }
        return day
    }

    /// An identifier; the zero GUID counts as absent.
    func id(_ key: StaticString) -> XeroID? {
        guard let id = self[key]?.string.flatMap({ XeroID($0) }), id != .zero else { return nil }
        return id
    }
}
