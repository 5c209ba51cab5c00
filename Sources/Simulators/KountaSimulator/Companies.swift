/// A till of a venue.
package struct SimulatedRegister: Sendable, Equatable {
    package let id: Int64
    package let code: String
    package let name: String
}

/// A venue, which Kounta calls a site.
package struct SimulatedSite: Sendable, Equatable {
    package let id: Int64
    package let name: String
    package let code: String
    package let registers: [SimulatedRegister]
}

/// A company as the POS knows it, in Australian dollars and on Sydney's clock.
package struct SimulatedCompany: Sendable, Equatable {
    package let id: Int64
    package let name: String
    package let businessNumber: String
    package let sites: [SimulatedSite]

    package init(id: Int64, name: String, businessNumber: String, sites: [SimulatedSite]) {
        precondition(!sites.isEmpty && sites.allSatisfy { !$0.registers.isEmpty }, "every venue needs a till")
        (self.id, self.name, self.businessNumber, self.sites) = (id, name, businessNumber, sites)
    }

    /// Two groups with five venues between them. The ids never change: configurations are written against them.
    package static let usual: [SimulatedCompany] = [
        SimulatedCompany(
            id: 162, name: "Harbour Hospitality", businessNumber: "63 987 012 468",
            sites: [
                site(923, "Harbour Bistro", "HB", firstRegister: 9091),
                site(985, "Pier Cafe & Bar", "PCB", firstRegister: 9101),
                site(2301, "Wharf Kitchen", "WK", firstRegister: 9111),
            ]),
        SimulatedCompany(
            id: 163, name: "Lakeside Group", businessNumber: "51 824 753 556",
            sites: [
                site(3101, "Lakeside Tavern", "LT", firstRegister: 9201),
                site(3102, "Boathouse Bakery", "BB", firstRegister: 9211),
            ]),
    ]

    private static func site(_ id: Int64, _ name: String, _ code: String, firstRegister: Int64) -> SimulatedSite {
        SimulatedSite(
            id: id, name: name, code: code,
            registers: [
                SimulatedRegister(id: firstRegister, code: "T1", name: "Terminal 1"),
                SimulatedRegister(id: firstRegister + 1, code: "T2", name: "Terminal 2"),
            ])
    }
}

/// What is on the menus: GST of 10 % is inside the price unless the item is GST-free.
struct MenuItem: Sendable {
    let id: Int64
    let name: String
    let category: String
    let priceCents: Int64
    var isGSTFree = false
    /// Sold by weight: quantities may be fractional.
    var isWeighed = false
}

enum Menu {
    static let items: [MenuItem] = [
        MenuItem(id: 7302, name: "Caffé Latte", category: "Coffee", priceCents: 480),
        MenuItem(id: 7303, name: "Flat White", category: "Coffee", priceCents: 450),
        MenuItem(id: 7304, name: "Long Black", category: "Coffee", priceCents: 420),
        MenuItem(id: 5312, name: "Salmon Sandwich", category: "Food", priceCents: 1_450),
        MenuItem(id: 5313, name: "Eggs Benedict", category: "Food", priceCents: 2_250),
        MenuItem(id: 5314, name: "Fish & Chips", category: "Food", priceCents: 2_690),
        MenuItem(id: 5315, name: "Chicken Parmigiana", category: "Food", priceCents: 2_800),
        MenuItem(id: 5316, name: "Caesar Salad", category: "Food", priceCents: 1_995),
        MenuItem(id: 5317, name: "Kids' \"Little Skipper\" Pasta", category: "Food", priceCents: 1_290),
        MenuItem(id: 5318, name: "Potato Cake", category: "Food", priceCents: 185),
        MenuItem(id: 8101, name: "Pale Ale Schooner", category: "Drinks", priceCents: 990),
        MenuItem(id: 8102, name: "Grüner Veltliner Glass", category: "Drinks", priceCents: 1_350),
        MenuItem(id: 8103, name: "Lemon Lime Bitters", category: "Drinks", priceCents: 565),
        MenuItem(id: 8201, name: "Bottled Water 600 ml", category: "GST free", priceCents: 400, isGSTFree: true),
        MenuItem(id: 8202, name: "Sourdough Loaf", category: "GST free", priceCents: 850, isGSTFree: true),
        MenuItem(id: 8203, name: "Fresh Milk 2 l", category: "GST free", priceCents: 515, isGSTFree: true),
        MenuItem(id: 8301, name: "Sliced Ham per kg", category: "Deli", priceCents: 3_490, isWeighed: true),
        MenuItem(id: 8302, name: "Antipasto per kg", category: "Deli", priceCents: 4_250, isWeighed: true),
        MenuItem(
            id: 8303, name: "Fresh Apricots per kg", category: "GST free", priceCents: 799, isGSTFree: true,
            isWeighed: true),
    ]
    /// Chosen with a dish or a drink; each is its own line of the order.
    static let options: [MenuItem] = [
        MenuItem(id: 8401, name: "Oat Milk", category: "Options", priceCents: 80),
        MenuItem(id: 8402, name: "Extra Shot", category: "Options", priceCents: 60),
        MenuItem(id: 8403, name: "No Ice", category: "Options", priceCents: 0),
        MenuItem(id: 8404, name: "Side of Chips", category: "Options", priceCents: 600),
    ]
    static let modifier = MenuItem(id: 8501, name: "No Onion", category: "Options", priceCents: 0)
    static let reward = MenuItem(id: 8901, name: "Loyalty Reward", category: "Discounts", priceCents: -500)
    static var everything: [MenuItem] { items + options + [reward] }
}

/// Ways to pay; the ids hold for every company.
enum Tender {
    static let all: [(id: Int64, name: String, ledgerCode: String)] = [
        (1, "Cash", "200"), (2, "Credit Card", "601"), (7, "Gift Card", "233"), (12, "PayPal", "602"),
    ]
    static let cash: Int64 = 1
    static let card: Int64 = 2
    static func name(_ id: Int64) -> String { all.first { $0.id == id }?.name ?? "Other" }
}

enum Taxes {
    static let gstID: Int64 = 829
    static let freeID: Int64 = 844
}
