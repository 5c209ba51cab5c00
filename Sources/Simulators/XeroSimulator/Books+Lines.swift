internal import JSON

/// Reading a document's lines and computing its amounts.
extension Books {
    /// Reads one line and computes its amount and tax. `messages` collects what is wrong with it.
    func line(
        _ json: JSON, of document: Document, unitPlaces: Int, messages: inout [String]
    ) -> Line {
        do throws(Refusal) {
            var line = Line()
            line.id = json.id("LineItemID") ?? .zero
            line.description = json["Description"]?.string ?? ""
            if line.description.utf8.count > 4000 { throw Refusal("Description must be 4000 characters or fewer") }
            try readAmounts(json, into: &line, unitPlaces: unitPlaces)
            try readAccount(json, into: &line)
            try readTracking(json, into: &line)
            try computeTax(json, of: document, into: &line)
            return line
        } catch {
            messages.append(error.message)
            return Line()
        }
    }

    private func readAmounts(_ json: JSON, into line: inout Line, unitPlaces: Int) throws(Refusal) {
        line.quantity = try json.fixed("Quantity")
        line.unitAmount = try json.fixed("UnitAmount")
        line.discountRate = try json.fixed("DiscountRate")
        line.discountAmount = try json.fixed("DiscountAmount")
        if let code = json["ItemCode"]?.string, !code.isEmpty {
            guard let item = itemsByCode[code] else { throw Refusal("Item code '\(code)' is not valid") }
            line.itemCode = code
            line.unitAmount = line.unitAmount ?? items[item].unitPrice
            if line.description.isEmpty { line.description = items[item].description }
        }
        if unitPlaces == 2 { line.unitAmount = line.unitAmount?.inCents }
        let given = try json.fixed("LineAmount")?.inCents
        if line.unitAmount != nil, line.quantity == nil { line.quantity = Fixed(units: 10_000) }
        guard let quantity = line.quantity, let unitAmount = line.unitAmount else {
            line.lineAmount = given ?? .zero
            if let given {
                line.quantity = line.quantity ?? Fixed(units: 10_000)
                line.unitAmount = line.quantity.flatMap { given.divided(byQuantity: $0) }
            }
            return
        }
        guard let full = Fixed.lineAmount(quantity, unitAmount, discount: line.discountRate ?? .zero) else {
            throw Refusal("The line total is too large")
        }
        let expected = full - (line.discountAmount?.inCents ?? .zero)
        if let given, given != expected {
            throw Refusal(
                "The line total \(given.cents) does not match the expected line total \(expected.cents)")
        }
        line.lineAmount = expected
    }

    private func readAccount(_ json: JSON, into line: inout Line) throws(Refusal) {
        let item = itemsByCode[line.itemCode].map { items[$0] }
        let fromItem = item.flatMap { $0.accountCode.isEmpty ? nil : $0.accountCode }
        let id = json["AccountID"]?.string
        let code = json["AccountCode"]?.string ?? (id == nil ? fromItem : nil)
        if let code = code ?? id, !code.isEmpty {
            guard let account = account(code: json["AccountCode"]?.string ?? (id == nil ? fromItem : nil), id: id)
            else { throw Refusal("Account code '\(code)' is not a valid code for this document.") }
            guard accounts[account].isActive else {
                throw Refusal("Account code '\(code)' has been archived and cannot be used in this document.")
            }
            guard accounts[account].type != .bank, accounts[account].systemAccount != "DEBTORS",
                accounts[account].systemAccount != "CREDITORS"
            else { throw Refusal("Account code '\(code)' is not a valid code for this document.") }
            line.account = account
        }
        let fromItemTax = item.flatMap { $0.taxType.isEmpty ? nil : $0.taxType }
        let type = json["TaxType"]?.string ?? fromItemTax ?? line.account.map { accounts[$0].taxType }
        guard let type, !type.isEmpty else { return }
        guard let tax = taxesByType[type] else { throw Refusal("The TaxType code '\(type)' does not exist.") }
        if let account = line.account, !taxRates[tax].classes.contains(accounts[account].type.accountClass) {
            throw Refusal(
                "The TaxType code '\(type)' cannot be used with account code '\(accounts[account].code)'.")
        }
        line.tax = tax
    }

    private func readTracking(_ json: JSON, into line: inout Line) throws(Refusal) {
        guard let list = json["Tracking"] else { return }
        for element in list.elements {
            let name = element["Name"]?.string ?? ""
            guard name == tracking[0].name || element.id("TrackingCategoryID") == tracking[0].id else {
                throw Refusal("The tracking category '\(name)' does not exist.")
            }
            guard let option = element["Option"]?.string else { continue }
            guard let index = venues[option], tracking[0].options[index].isActive else {
                throw Refusal("The tracking option '\(option)' does not exist in the category '\(tracking[0].name)'.")
            }
            line.tracking.append(TrackingChoice(category: 0, option: index))
        }
        guard line.tracking.count <= 1 else { throw Refusal("A tracking category may be used once a line.") }
    }

    /// Tax per line, rounded to whole cents, half away from zero; a tax amount in the request overrides it.
    private func computeTax(_ json: JSON, of document: Document, into line: inout Line) throws(Refusal) {
        guard document.amountTypes != .noTax, let tax = line.tax else { return }
        let rate = taxRates[tax].rate
        line.taxAmount =
            switch document.amountTypes {
            case .inclusive: line.lineAmount.taxInside(rate: rate)
            case .exclusive: line.lineAmount.taxOnTop(rate: rate)
            case .noTax: .zero
            }
        if let given = try json.fixed("TaxAmount") { line.taxAmount = given.inCents }
    }

    /// Sums the lines into the document's totals.
    func addUp(_ document: inout Document) throws(Refusal) {
        guard let lines = Fixed.sum(document.lines.lazy.map(\.lineAmount)),
            let tax = Fixed.sum(document.lines.lazy.map(\.taxAmount))
        else { throw Refusal("The document total is too large") }
        document.totalTax = tax
        document.subTotal = document.amountTypes == .inclusive ? lines - tax : lines
        document.total = document.amountTypes == .inclusive ? lines : lines + tax
        guard !document.total.isNegative else {
            throw Refusal("The document total must be greater than or equal to zero.")
        }
    }
}
