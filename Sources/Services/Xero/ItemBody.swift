import HTTP
import JSON
package import Money

/// One entry of Xero's price list, as the fleet keeps it.
package struct LedgerItem: Sendable, Hashable {
    /// At most 30 letters.
    package let code: String
    /// At most 50 letters.
    package let name: String
    /// GST-inclusive or not as the organisation's settings say; nil: none is set.
    package let price: ExactDecimal?
    package let account: String
    package let taxType: String

    package static let codeMax = 30
    package static let nameMax = 50
    /// `POST /Items` takes at most so many.
    package static let batchMax = 500

    /// Nil where no code can be made of it.
    package init?(code: String, name: String, price: ExactDecimal?, account: String, taxType: String) {
        let plain = String(code.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }.map(Character.init))
        guard !plain.isEmpty, plain.count <= Self.codeMax else { return nil }
        self.code = plain
        self.name = String(name.prefix(Self.nameMax))
        // Four decimals are what Xero keeps.
        self.price = price.flatMap { $0.isNegative ? nil : $0.rounded(toScale: 4).trimmed }
        self.account = account
        self.taxType = taxType
    }

    /// The element of the request: the same item gives the same bytes, so that their hash tells whether it changed.
    package var element: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("Code", code)
            writer.field("Name", name)
            writer.field("IsSold", true)
            writer.key("SalesDetails")
            writer.object { writer in
                if let price { writer.field("UnitPrice", number: "\(price)") }
                writer.field("AccountCode", account)
                writer.field("TaxType", taxType)
            }
        }
        return writer.bytes
    }

    package static func body(_ items: [LedgerItem]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("Items")
            writer.array { writer in
                for item in items { writer.raw(item.element) }
            }
        }
        return writer.bytes
    }
}

/// What became of one item of a batch.
package struct ItemResult: Sendable, Hashable {
    package let code: String
    /// Nil where it was refused.
    package let id: String?
    package let errors: [String]
}

extension XeroClient {
    /// Creates or changes items by their code, at most ``LedgerItem/batchMax`` of them. Doing it again changes nothing,
    /// so a call without an answer is simply repeated.
    ///
    /// - Parameter permit: of a call that waits behind others than those about items.
    package func upsertItems(
        _ items: [LedgerItem], permit: CallPermit? = nil
    ) async throws -> Lookup<[ItemResult]> {
        precondition(items.count <= LedgerItem.batchMax, "\(items.count) items in one call")
        let outcome = try await call(
            .post, "/Items?summarizeErrors=false&unitdp=4", body: LedgerItem.body(items), permit: permit)
        guard case .answered(let response) = outcome else { return .failed(outcome) }
        guard let json = try? JSON(parsing: response.body), let list = json["Items"], list.kind == .array else {
            return .failed(.unknown("the answer to POST /Items is not understood"))
        }
        return .found(
            list.elements.map { element in
                let errors = (element["ValidationErrors"]?.elements ?? [])
                    .compactMap { ($0["Message"] ?? $0["Description"])?.string }
                let isRefused = !errors.isEmpty || element["StatusAttributeString"]?.string == "ERROR"
                return ItemResult(
                    code: element["Code"]?.string ?? "", id: isRefused ? nil : element["ItemID"]?.string,
                    errors: isRefused && errors.isEmpty ? ["Xero gave no reason."] : errors)
            })
    }
}
