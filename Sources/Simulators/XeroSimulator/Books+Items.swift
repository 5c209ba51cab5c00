internal import JSON

/// Items of the price list.
extension Books {
    /// Creates an item, or changes the one of that code where `intent` is to update.
    mutating func saveItem(_ json: JSON, _ intent: Intent, now: Int64) -> Saved {
        var existing: Int?
        do throws(Refusal) {
            let code = json["Code"]?.string ?? ""
            guard !code.isEmpty, code.count <= 30 else {
                throw Refusal("Item Code must have 1 to 30 characters")
            }
            existing = itemsByCode[code]
            if intent == .create, existing != nil {
                throw Refusal("Price List Item with Code '\(code)' already exists")
            }
            var item = existing.map { items[$0] } ?? Item(id: ids.identifier(), code: code)
            if let name = json["Name"]?.string {
                guard name.count <= 50 else { throw Refusal("Item Name must be 50 characters or fewer") }
                item.name = name
            }
            if let text = json["Description"]?.string { item.description = text }
            if let value = json["IsSold"]?.bool { item.isSold = value }
            if let details = json["SalesDetails"] {
                if let price = try details.fixed("UnitPrice") { item.unitPrice = price }
                if let code = details["AccountCode"]?.string {
                    guard let account = accountsByCode[code], accounts[account].isActive else {
                        throw Refusal("Account code '\(code)' is not a valid code for this document.")
                    }
                    item.accountCode = code
                }
                if let type = details["TaxType"]?.string {
                    guard taxesByType[type] != nil else { throw Refusal("The TaxType code '\(type)' does not exist.") }
                    item.taxType = type
                }
            }
            item.updated = now
            let index = existing ?? items.count
            if existing == nil { items.append(item) } else { items[index] = item }
            itemsByCode[code] = index
            return .stored(index)
        } catch {
            return .refused(json, existing: existing, messages: [error.message])
        }
    }
}
