internal import JSON

/// From calls to answers: which endpoint means what.
extension Books {
    /// Answers one call. Synchronous and whole: a call is either not begun or done.
    mutating func answer(_ call: Call) -> Answer {
        do throws(Refusal) {
            guard let place = call.path.first else { return .notFound }
            switch (place, call.method) {
            case ("Invoices", _): return try answerDocuments(.invoice, call)
            case ("CreditNotes", _): return try answerDocuments(.creditNote, call)
            case ("Payments", _): return try answerPayments(call)
            case ("Contacts", _): return try answerContacts(call)
            case ("Items", _): return try answerItems(call)
            case (_, "GET"): return try answerSettings(place, call)
            default: return .notFound
            }
        } catch {
            return .badQuery(error.message)
        }
    }

    // MARK: documents

    private mutating func answerDocuments(_ kind: DocumentKind, _ call: Call) throws(Refusal) -> Answer {
        let name: StaticString = kind == .invoice ? "Invoices" : "CreditNotes"
        if call.path.count == 1 {
            switch call.method {
            case "GET": return try list(kind, name, call)
            case "PUT", "POST":
                let intent: Intent = call.method == "PUT" ? .create : .update
                return saveDocuments(kind, name, call, intent, target: nil)
            default: return .notFound
            }
        }
        guard let index = XeroID(call.path[1]).flatMap({ shelf(kind).index(of: $0) })
            ?? shelf(kind).index(numbered: call.path[1])
        else { return .notFound }
        if call.path.count >= 3 {
            switch call.path[2] {
            case "History": return history(kind, index, call)
            case "Attachments": return attachments(kind, index, call)
            case "Allocations" where kind == .creditNote: return allocations(of: index, call)
            default: return .notFound
            }
        }
        switch call.method {
        case "GET":
            return envelope(call, name) { books, writer in books.write(kind, index, .full, to: &writer) }
        case "POST": return saveDocuments(kind, name, call, .update, target: index)
        default: return .notFound
        }
    }

    private mutating func saveDocuments(
        _ kind: DocumentKind, _ name: StaticString, _ call: Call, _ intent: Intent, target: Int?
    ) -> Answer {
        let places = call.query["unitdp"] == "4" ? 4 : 2
        return batch(call, name, limit: target == nil ? 50 : 1) { books, element in
            books.save(element, kind, intent, target: target, unitPlaces: places, now: call.now)
        } write: { books, saved, status, writer in
            switch saved {
            case .stored(let index): books.write(kind, index, .saved, status: status, to: &writer)
            case .refused(let json, let existing?, let messages):
                books.write(
                    kind, existing, .full, status: status, errors: messages, wanted: json["Status"]?.string,
                    to: &writer)
            case .refused(let json, nil, let messages):
                let id: StaticString = kind == .invoice ? "InvoiceID" : "CreditNoteID"
                books.writeRefused(json, id, messages, flag: "HasErrors", status: status, to: &writer)
            }
        }
    }

    private mutating func history(_ kind: DocumentKind, _ index: Int, _ call: Call) -> Answer {
        if call.method == "GET" {
            let records = document(kind, index).history
            return envelope(call, "HistoryRecords") { _, writer in
                for record in records { Self.write(record, to: &writer) }
            }
        }
        guard call.method == "PUT" else { return .notFound }
        guard let json = try? JSON(parsing: call.body) else { return .invalid("The history record cannot be read") }
        let details = json["HistoryRecords"]?.elements.compactMap { $0["Details"]?.string } ?? []
        guard !details.isEmpty, details.allSatisfy({ !$0.isEmpty && $0.count <= 2500 }) else {
            return .invalid("Details must have 1 to 2500 characters", number: 10, type: "ValidationException")
        }
        let records = details.map { (at: call.now, details: $0) }
        change(kind, index) { $0.history += records }
        return envelope(call, "HistoryRecords") { _, writer in
            for record in records { Self.write(record, to: &writer) }
        }
    }

    private static func write(_ record: (at: Int64, details: String), to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("DateUTCString", Moment.text(record.at))
            writer.field("DateUTC", "/Date(\(record.at))/")
            writer.field("Details", record.details)
            writer.key("ValidationErrors")
            writer.raw("[]".utf8)
        }
    }

    private mutating func allocations(of note: Int, _ call: Call) -> Answer {
        if call.method == "DELETE", call.path.count == 4 {
            let id = XeroID(call.path[3])
            guard let index = creditNotes.documents[note].allocations.first(where: { allocations[$0].id == id }) else {
                return .notFound
            }
            deleteAllocation(index, now: call.now)
            let allocation = allocations[index]
            return .json { writer in
                writer.field("AllocationId", allocation.id.text)
                writer.field("IsDeleted", true)
            }
        }
        guard call.method == "PUT" else { return .notFound }
        return batch(call, "Allocations", limit: 50) { books, element in
            do throws(Refusal) {
                return .stored(try books.allocate(element, from: note, now: call.now))
            } catch {
                return .refused(element, existing: nil, messages: [error.message])
            }
        } write: { books, saved, status, writer in
            switch saved {
            case .stored(let index): books.write(books.allocations[index], to: &writer)
            case .refused(let json, _, let messages):
                books.writeRefused(json, "AllocationID", messages, flag: "HasErrors", status: status, to: &writer)
            }
        }
    }

    // MARK: payments

    private mutating func answerPayments(_ call: Call) throws(Refusal) -> Answer {
        if call.path.count == 1 {
            switch call.method {
            case "GET": return try listPayments(call)
            case "PUT", "POST": return savePayments(call)
            default: return .notFound
            }
        }
        guard let index = XeroID(call.path[1]).flatMap({ paymentsByID[$0] }) else { return .notFound }
        if call.method == "POST" {
            guard let json = try? JSON(parsing: call.body),
                (json["Payments"]?.elements.first ?? json)["Status"]?.string == "DELETED"
            else { return .invalid("A payment can only be changed to the status DELETED") }
            do throws(Refusal) { try deletePayment(index, now: call.now) } catch {
                return exception(call, "PaymentID") { books, writer in
                    books.writeRefused(json, "PaymentID", [error.message], flag: "HasValidationErrors", to: &writer)
                }
            }
        } else if call.method != "GET" {
            return .notFound
        }
        return envelope(call, "Payments") { books, writer in books.write(books.payments[index], to: &writer) }
    }

    private mutating func savePayments(_ call: Call) -> Answer {
        batch(call, "Payments", limit: 50) { books, element in
            books.savePayment(element, now: call.now)
        } write: { books, saved, status, writer in
            switch saved {
            case .stored(let index): books.write(books.payments[index], status: status, to: &writer)
            case .refused(let json, _, let messages):
                books.writeRefused(
                    json, "PaymentID", messages, flag: "HasValidationErrors", status: status, to: &writer)
            }
        }
    }

    // MARK: contacts and items

    private mutating func answerContacts(_ call: Call) throws(Refusal) -> Answer {
        if call.path.count > 1 {
            guard let index = XeroID(call.path[1]).flatMap({ contactsByID[$0] }) ?? contactsByNumber[call.path[1]]
            else { return .notFound }
            switch call.method {
            case "GET":
                return envelope(call, "Contacts") { books, writer in books.write(books.contacts[index], to: &writer) }
            case "POST": return saveContacts(call, target: contacts[index].id)
            default: return .notFound
            }
        }
        switch call.method {
        case "GET": return try listContacts(call)
        case "PUT", "POST": return saveContacts(call, target: nil)
        default: return .notFound
        }
    }

    private mutating func saveContacts(_ call: Call, target: XeroID?) -> Answer {
        let intent: Intent = call.method == "PUT" ? .create : .update
        return batch(call, "Contacts", limit: target == nil ? 50 : 1) { books, element in
            books.saveContact(element, intent, target: target, now: call.now)
        } write: { books, saved, status, writer in
            switch saved {
            case .stored(let index): books.write(books.contacts[index], status: status, to: &writer)
            case .refused(let json, let existing, let messages):
                books.writeRefusedContact(
                    json, existing.map { books.contacts[$0].id } ?? .zero, messages, status: status, to: &writer)
            }
        }
    }

    private mutating func answerItems(_ call: Call) throws(Refusal) -> Answer {
        if call.path.count > 1 {
            let id = XeroID(call.path[1])
            guard call.method == "GET",
                let index = itemsByCode[call.path[1]] ?? items.firstIndex(where: { $0.id == id })
            else { return .notFound }
            return envelope(call, "Items") { books, writer in books.write(books.items[index], to: &writer) }
        }
        guard call.method == "PUT" || call.method == "POST" else { return try listItems(call) }
        let intent: Intent = call.method == "PUT" ? .create : .update
        return batch(call, "Items", limit: 500) { books, element in
            books.saveItem(element, intent, now: call.now)
        } write: { books, saved, status, writer in
            switch saved {
            case .stored(let index): books.write(books.items[index], status: status, to: &writer)
            case .refused(let json, _, let messages):
                books.writeRefused(json, "ItemID", messages, flag: "HasErrors", status: status, to: &writer)
            }
        }
    }
}
