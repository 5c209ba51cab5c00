package import Domain
package import Money

/// How one venue's sales are booked: the part of the operator's configuration the mapping needs, already validated.
package struct VenueBooks: Sendable {
    package var company: CompanyKey
    package var organisation: OrganisationKey
    package var site: SiteID
    package var name: String
    /// Begins every document number of the venue: unique in its organisation.
    package var numberPrefix: String
    package var currency: String
    package var timeZone: TimeZoneRules
    package var contactNumber: String
    package var tracking: Tracking?
    package var accounts: Accounts
    /// Tax rate (0.1) → Xero's tax type.
    package var taxTypes: [ExactDecimal: String]
    /// Tender, lower case → the clearing account it was paid into.
    package var clearingAccounts: [String: String]
    /// Takes tenders nobody listed; nil parks their orders.
    package var fallbackClearingAccount: String?
    /// The most that a rounding line may carry.
    package var roundingMax: Money
    package var paymentTermDays: Int
    /// The operator's rules; they come before every default here.
    package var rules = RuleBook.empty
    /// Tracking categories whose option is the order's register, type or staff.
    package var trackingSources: [TrackingSource: String] = [:]
    package var posting = PostingPlan()
    /// Xero's id of the branding theme of the venue's invoices.
    package var brandingTheme: String?
    /// Kounta's id of a register → its name, as far as the operator named them. Likewise the staff.
    package var registers: [String: String] = [:]
    package var staff: [String: String] = [:]
    /// What Kounta's catalogue says of products, by id.
    package var products: [String: Product] = [:]
    /// Products by id → the code of their item in Xero, where lines are to carry it.
    package var itemCodes: [String: String] = [:]
    /// How the sales that need more than a rate and an account are booked.
    package var sales = SalePolicy()

    /// See ``PostingPlan/hasDayDocuments(booking:)``.
    package var hasDayDocuments: Bool { posting.hasDayDocuments(booking: accounts.variance) }

    /// Whether takings of a day are booked. A day that is posted order by order has a document for its variance where
    /// there is an account for it; a summary cannot do without one.
    package func booksTakings(of day: CalendarDate) -> Bool {
        posting.mode(on: day) == .dailySummary || accounts.variance != nil
    }

    package struct Accounts: Sendable {
        package var sales: String
        package var tips: String
        package var rounding: String
        /// The tax type of lines that are no supply: tips and rounding.
        package var outsideTaxType: String
        /// Nil: as sales.
        package var discounts: String?
        /// Nil: as sales.
        package var surcharges: String?
        /// Gift cards sold are owed, not earned. Nil: as sales, since nobody said which products are gift cards.
        package var giftCardLiability: String?
        /// Counted less recorded takings. Nil: such differences are parked, or left out where days are posted order by
        /// order.
        package var variance: String?
        /// Deposits and lay-by. Nil: as sales.
        package var deposits: String?

        package init(sales: String, tips: String, rounding: String, outsideTaxType: String) {
            self.sales = sales
            self.tips = tips
            self.rounding = rounding
            self.outsideTaxType = outsideTaxType
        }
    }

    package init(
        company: CompanyKey, organisation: OrganisationKey, site: SiteID, name: String, numberPrefix: String,
        currency: String, timeZone: TimeZoneRules, contactNumber: String, tracking: Tracking?, accounts: Accounts,
        taxTypes: [ExactDecimal: String], clearingAccounts: [String: String], fallbackClearingAccount: String?,
        roundingMax: Money = Money(cents: 5), paymentTermDays: Int = 0
    ) {
        self.company = company
        self.organisation = organisation
        self.site = site
        self.name = name
        self.numberPrefix = numberPrefix
        self.currency = currency
        self.timeZone = timeZone
        self.contactNumber = contactNumber
        self.tracking = tracking
        self.accounts = accounts
        self.taxTypes = taxTypes
        self.clearingAccounts = clearingAccounts
        self.fallbackClearingAccount = fallbackClearingAccount
        self.roundingMax = roundingMax
        self.paymentTermDays = paymentTermDays
    }
}
