package import Alerting
package import Domain
package import Mapping
package import Money

/// Everything the fleet can be told: one YAML file plus the environment, validated once at start. Below `Bootstrap`
/// nothing reads a file of configuration or the environment.
package struct Settings: Sendable {
    package var organisations: [OrganisationSettings]
    package var companies: [CompanySettings]
    package var polling: PollingSettings
    package var mapping: MappingSettings
    package var writing: WritingSettings
    package var desk: DeskSettings
    package var alerts: AlertSettings
    package var connections: ConnectionSettings
    package var apps: AppSettings
    /// The limits as the file states them, before `simulation.limits_multiple`.
    package var statedLimits: StatedLimits
    /// The configuration as YAML with the edits of the mapping in it: read again without them, it gives the same
    /// settings. Nil where no edit stands.
    package var editedText: String?

    /// The first moment whose orders are read.
    package var startFrom: [VenueKey: Instant] {
        var moments: [VenueKey: Instant] = [:]
        for company in companies {
            for venue in company.venues {
                moments[VenueKey(company: company.key, site: venue.site)] = venue.startFrom
            }
        }
        return moments
    }

    package func organisation(_ key: OrganisationKey) -> OrganisationSettings? {
        organisations.first { $0.key == key }
    }

    /// The organisations that are called through one app: those a person connects. A custom connection is an app of its
    /// own.
    package var sharingApp: Set<OrganisationKey> {
        Set(organisations.lazy.filter { $0.credential == nil }.map(\.key))
    }

    /// How each venue is booked, by company and site.
    package var books: [VenueKey: VenueBooks] {
        var result: [VenueKey: VenueBooks] = [:]
        for company in companies {
            guard let organisation = organisation(company.organisation) else { continue }
            for venue in company.venues {
                result[VenueKey(company: company.key, site: venue.site)] = organisation.books(of: venue, in: company)
            }
        }
        return result
    }
}

package struct VenueKey: Sendable, Hashable {
    package let company: CompanyKey
    package let site: SiteID

    package init(company: CompanyKey, site: SiteID) {
        self.company = company
        self.site = site
    }
}

/// One Xero organisation.
package struct OrganisationSettings: Sendable {
    package var key: OrganisationKey
    package var name: String
    /// The `xero-tenant-id`; nil for a custom connection whose token implies it.
    package var tenant: String?
    package var currency: String
    package var timeZoneName: String
    package var timeZone: TimeZoneRules
    package var accounts: VenueBooks.Accounts
    package var taxTypes: [ExactDecimal: String]
    package var clearingAccounts: [String: String]
    package var fallbackClearingAccount: String?
    package var roundingMax: Money
    package var paymentTermDays: Int
    package var trackingCategory: String?
    /// Further categories, whose option is the order's register, type or staff.
    package var trackingSources: [TrackingSource: String]
    package var brandingTheme: String?
    package var posting: PostingPlan
    package var rules: RuleBook
    /// Tables and rules as they were read, in YAML, for people; empty where there are none.
    package var ruleText: String
    /// What is written back into the till; nothing where nobody said so.
    package var writeBack: WriteBackRules
    /// Of which texts `writeBack` was read: while they are the same, it decides the same.
    package var writeBackText: String
    package var sales: SalePolicy
    /// Which of Kounta's products become Xero's items.
    package var items: ItemSettings
    /// What all this names in the organisation's chart, each with its place in the file.
    package var references: [ChartReference]
    package var limits: OrganisationLimits
    package var credential: ClientCredential?

    /// Whether anything is booked in another currency than the organisation's own.
    package var booksOtherCurrencies: Bool {
        references.contains { if case .bookedCurrency = $0.target { true } else { false } }
    }

    func books(of venue: VenueSettings, in company: CompanySettings) -> VenueBooks {
        var books = VenueBooks(
            company: company.key, organisation: key, site: venue.site, name: venue.name, numberPrefix: venue.prefix,
            currency: currency, timeZone: venue.timeZone, contactNumber: venue.contactNumber,
            tracking: trackingCategory.flatMap { category in
                venue.tracking.map { Tracking(category: category, option: $0) }
            },
            accounts: venue.accounts, taxTypes: venue.taxTypes, clearingAccounts: venue.clearingAccounts,
            fallbackClearingAccount: venue.fallbackClearingAccount, roundingMax: roundingMax,
            paymentTermDays: venue.paymentTermDays)
        books.rules = rules
        books.trackingSources = venue.trackingSources
        books.posting = venue.posting
        books.brandingTheme = venue.brandingTheme
        books.registers = company.registers
        books.staff = company.staff
        books.sales = sales
        books.sales.giftCardProducts = company.giftCardProducts
        books.sales.depositProducts = company.depositProducts
        books.sales.surchargeProducts = company.surchargeProducts
        books.sales.companyCurrency = company.currency
        return books
    }
}

/// Products as Xero's items.
package struct ItemSettings: Sendable, Hashable {
    /// What an item's `Code` is made of.
    package enum Code: String, Sendable, Hashable, CaseIterable {
        case sku, id
    }

    package var isOn: Bool
    package var code: Code
    /// Invoice lines carry the product's item.
    package var onLines: Bool
}

/// What Xero allows one organisation; 0 stands for no limit.
package struct OrganisationLimits: Sendable, Equatable {
    package var callsPerMinute: Int
    package var callsInFlight: Int
    package var callsPerDay: Int
    package var reserve: CallReserve

    package init(callsPerMinute: Int, callsInFlight: Int, callsPerDay: Int, reserve: CallReserve = CallReserve()) {
        self.callsPerMinute = callsPerMinute
        self.callsInFlight = callsInFlight
        self.callsPerDay = callsPerDay
        self.reserve = reserve
    }
}

/// What the file says of limits, and by how much they are multiplied against simulators.
package struct StatedLimits: Sendable, Equatable {
    package var multiple: Int
    package var organisations: [OrganisationKey: OrganisationLimits]
    /// Calls a minute.
    package var companies: [CompanyKey: Int]
    package var appCallsPerMinute: Int
}

/// Calls a minute that are left free.
package struct CallReserve: Sendable, Equatable {
    /// For the organisation's other apps and its people: the fleet never uses them.
    package var people: Int
    /// For look-ups: what writes leaves them free.
    package var reads: Int
    /// For invoices, payments, contacts and items: history notes, reconciliation and backfill leave them free.
    package var posting: Int

    package init(people: Int = 0, reads: Int = 0, posting: Int = 0) {
        self.people = people
        self.reads = reads
        self.posting = posting
    }
}

/// One Kounta company and its venues.
package struct CompanySettings: Sendable {
    package var key: CompanyKey
    /// Kounta's own id of the company.
    package var kountaID: String
    package var organisation: OrganisationKey
    /// Orders created before are never read: midnight of the first day where the organisation is. A venue that is
    /// elsewhere has its own.
    package var startFrom: Instant
    /// 60 with a basic credential, 180 with OAuth; 0 stands for no limit of our own (the service's headers still
    /// count).
    package var callsPerMinute: Int
    /// Kounta's ids of registers and staff → their names, for rules, tracking and people.
    package var registers: [String: String]
    package var staff: [String: String]
    /// Kounta's ids of the products that are gift cards or deposits, besides those whose tags say so.
    package var giftCardProducts: Set<String>
    package var depositProducts: Set<String>
    package var surchargeProducts: Set<String>
    /// What Kounta's company keeps its money in; nil: as the organisation.
    package var currency: String?
    package var venues: [VenueSettings]
    package var credential: ClientCredential?
}

package struct VenueSettings: Sendable {
    package var site: SiteID
    package var name: String
    package var prefix: String
    package var tracking: String?
    package var contactNumber: String
    package var contactName: String
    /// When it is open; nil: nobody said, and no alert watches its orders.
    package var tradingHours: WeeklyHours?
    /// Midnight of the company's first day where the venue is: orders created before are never read.
    package var startFrom: Instant
    // What the venue says otherwise than its organisation.
    package var timeZoneName: String
    package var timeZone: TimeZoneRules
    package var taxTypes: [ExactDecimal: String]
    package var trackingSources: [TrackingSource: String]
    package var accounts: VenueBooks.Accounts
    package var clearingAccounts: [String: String]
    package var fallbackClearingAccount: String?
    package var paymentTermDays: Int
    package var brandingTheme: String?
    package var posting: PostingPlan

    /// Whether its end-of-day takings matter: they go into summaries, or their variance into a document of its own.
    package var needsTakings: Bool { posting.hasDayDocuments(booking: accounts.variance) }
    /// Whether its days end when their till was counted.
    package var closesByTakings: Bool { posting.closing == .takings }
}

package struct PollingSettings: Sendable {
    package var interval: Duration
    /// How far before the cursor each poll looks again: orders completed late keep their old `created_at`.
    package var overlap: Duration
    package var rescanInterval: Duration
    package var rescanWindow: Duration
    /// How often the lists of deleted orders and of open customers' accounts are read.
    package var correctionsInterval: Duration
    /// How long what was read of a customer is believed, where rules ask for it.
    package var customersMaxAge: Duration
    /// How long an order waits for its customer's record, where Kounta does not show it, before it goes to the desk.
    package var customersWaitMax: Duration
    /// Details fetched at once.
    package var concurrency: Int
    package var leaseDuration: Duration
}

package struct MappingSettings: Sendable {
    package var batch: Int
    package var linger: Duration
    package var prefetch: Int
    package var recordBytesMax: Int
    /// Of which documents it is kept why each line is what it is.
    package var basis: Basis
    /// From a trading day's end to its close, so that what is still on its way arrives.
    package var closeDelay: Duration

    package enum Basis: String, Sendable, CaseIterable {
        /// Of those that a rule or the fallback had a say in.
        case rules
        case all
        case none
    }
}

package struct WritingSettings: Sendable {
    package var batch: Int
    package var linger: Duration
    /// Batches of one organisation one writer works on at once.
    package var batchesInFlight: Int
    /// What Xero allows the whole app over all organisations; 0 stands for no limit.
    package var appCallsPerMinute: Int
    package var leaseDuration: Duration
    /// So long at most a batch waits in a writer's hand for an organisation that takes no calls. Far below the half
    /// hour after which brokers end the channel of whoever keeps a message.
    package var handMax: Duration
}

package struct DeskSettings: Sendable {
    /// The pace at which letters are sent again, over all handlers.
    package var replaysPerSecond: Int
    /// From a group's opening to its first probe; doubled with each that comes back, up to an hour.
    package var probeInterval: Duration
}

/// Addresses and secrets: from the environment only.
package struct ConnectionSettings: Sendable {
    package var rabbitMQ: Secret
    package var database: Secret
    package var schema: String
    package var queuePrefix: String
    package var kounta: String
    package var xero: String
    package var xeroIdentity: String
    /// host:port of `/live`, `/ready` and `/metrics`; port 0 takes any free one.
    package var health: String
    package var trustedCertificates: String?
    package var grace: Duration
}
