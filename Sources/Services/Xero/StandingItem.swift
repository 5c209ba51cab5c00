import HTTP
import JSON
package import Money

/// An item as it stands in the ledger, whoever made or changed it.
package struct StandingItem: Sendable, Hashable {
    package let id: String
    package let code: String
    package let name: String
    package let price: ExactDecimal?
    package let account: String?
    package let taxType: String?
    package let isSold: Bool

    package init(
        id: String, code: String, name: String, price: ExactDecimal?, account: String?, taxType: String?,
        isSold: Bool = true
    ) {
        self.id = id
        self.code = code
        self.name = name
        self.price = price
        self.account = account
        self.taxType = taxType
        self.isSold = isSold
    }

    /// Whether sending `item` would change nothing. What the fleet does not send, such as a description, may differ.
    package func isAlready(_ item: LedgerItem) -> Bool {
        code == item.code && name == item.name && account == item.account && taxType == item.taxType && isSold
            && (item.price == nil || price == item.price)
    }

    /// Nil where it has no code to be known by.
    init?(_ json: JSON) {
        guard let id = json["ItemID"]?.string, let code = json["Code"]?.string else { return nil }
        let sales = json["SalesDetails"]
        self.init(
            id: id, code: code, name: json["Name"]?.string ?? "",
            price: sales?["UnitPrice"]?.numberText.flatMap { ExactDecimal($0) },
            account: sales?["AccountCode"]?.string, taxType: sales?["TaxType"]?.string,
            isSold: json["IsSold"]?.bool ?? true)
    }
}

extension XeroClient {
    /// All of them, in one call: Xero has no pages here.
    ///
    /// - Parameter permit: of a call that waits behind others than those about items.
    package func items(permit: CallPermit? = nil) async throws -> Lookup<[StandingItem]> {
        let outcome = try await call(.get, "/Items?unitdp=4", permit: permit)
        guard case .answered(let response) = outcome else { return .failed(outcome) }
        guard let json = try? JSON(parsing: response.body), let list = json["Items"], list.kind == .array else {
            return .failed(.unknown("the answer to GET /Items is not understood"))
        }
        return .found(list.elements.compactMap { StandingItem($0) })
    }
}
