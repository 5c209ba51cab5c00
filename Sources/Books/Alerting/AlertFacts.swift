package import Domain

/// What one look at database and broker found. No judgement: what of it needs a person is ``concerns(_:at:)``.
package struct AlertFacts: Sendable {
    package struct Group: Sendable {
        package let id: Int64
        package let deadLetterClass: String
        package let cause: String
        package let remedy: String
        package let organisation: OrganisationKey?
        /// Names of venues, with commas.
        package let venues: String
        package let open: Int
        /// Exact digits; nil where no letter has an amount.
        package let amount: String?
        package let openedAt: Instant
        package let assignee: String?
        /// The number of the oldest open letter.
        package let firstLetter: Int64?

        package init(
            id: Int64, deadLetterClass: String, cause: String, remedy: String, organisation: OrganisationKey?,
            venues: String, open: Int, amount: String?, openedAt: Instant, assignee: String? = nil,
            firstLetter: Int64? = nil
        ) {
            self.firstLetter = firstLetter
            self.id = id
            self.deadLetterClass = deadLetterClass
            self.cause = cause
            self.remedy = remedy
            self.organisation = organisation
            self.venues = venues
            self.open = open
            self.amount = amount
            self.openedAt = openedAt
            self.assignee = assignee
        }
    }

    package struct Venue: Sendable {
        package let company: CompanyKey
        package let organisation: OrganisationKey
        package let site: SiteID
        package let name: String
        /// Nil: nobody said when it is open.
        package let hours: WeeklyHours?
        /// Whose clock they are by; nil: the organisation's.
        package var zone: TimeZoneRules?
        package let lastOrder: Instant?
        /// When its cursor moved last; nil where it never did.
        package let lastPolled: Instant?
        /// When the last days were last read again; nil where they never were.
        package var lastRescanned: Instant?
        /// When the deleted orders and the open accounts were last listed; nil where they never were.
        package var sideListsRead: Instant?

        package init(
            company: CompanyKey, organisation: OrganisationKey, site: SiteID, name: String, hours: WeeklyHours?,
            lastOrder: Instant?, lastPolled: Instant?
        ) {
            self.company = company
            self.organisation = organisation
            self.site = site
            self.name = name
            self.hours = hours
            self.lastOrder = lastOrder
            self.lastPolled = lastPolled
        }
    }

    /// Documents of one venue and trading day that are not finished.
    package struct OpenDay: Sendable {
        package let organisation: OrganisationKey
        package let venue: String
        package let day: CalendarDate
        package let count: Int
        package let amount: String
        /// When the first of them was made.
        package let oldest: Instant

        package init(
            organisation: OrganisationKey, venue: String, day: CalendarDate, count: Int, amount: String,
            oldest: Instant
        ) {
            self.organisation = organisation
            self.venue = venue
            self.day = day
            self.count = count
            self.amount = amount
            self.oldest = oldest
        }
    }

    /// A day with sales that is not closed yet, although it has ended.
    package struct UnclosedDay: Sendable {
        package let organisation: OrganisationKey
        package let venue: String
        package let day: CalendarDate
        /// When the fleet first knew of it.
        package let metAt: Instant
        /// Its till must be counted to close it, and nobody has.
        package let waitsForTakings: Bool
        /// Whose clock the day is by; nil: the organisation's.
        package var zone: TimeZoneRules?

        package init(
            organisation: OrganisationKey, venue: String, day: CalendarDate, metAt: Instant, waitsForTakings: Bool
        ) {
            self.organisation = organisation
            self.venue = venue
            self.day = day
            self.metAt = metAt
            self.waitsForTakings = waitsForTakings
        }
    }

    package struct Connection: Sendable {
        package let name: String
        /// `kounta` or `xero`.
        package let service: String
        package let organisations: [OrganisationKey]
        package let renewedAt: Instant
        package let refreshEnds: Instant?
        package let deadSince: Instant?
        package let deadWhy: String?

        package init(
            name: String, service: String, organisations: [OrganisationKey], renewedAt: Instant,
            refreshEnds: Instant?, deadSince: Instant? = nil, deadWhy: String? = nil
        ) {
            self.name = name
            self.service = service
            self.organisations = organisations
            self.renewedAt = renewedAt
            self.refreshEnds = refreshEnds
            self.deadSince = deadSince
            self.deadWhy = deadWhy
        }
    }

    /// An organisation that Xero no longer lets us into.
    package struct Disconnection: Sendable {
        package let organisation: OrganisationKey
        package let since: Instant
        package let why: String
        /// By a credential of its own, not by a person's consent.
        package let hasOwnCredential: Bool

        package init(organisation: OrganisationKey, since: Instant, why: String, hasOwnCredential: Bool = false) {
            self.organisation = organisation
            self.since = since
            self.why = why
            self.hasOwnCredential = hasOwnCredential
        }
    }

    package struct Budget: Sendable {
        package let organisation: OrganisationKey
        package let used: Int
        /// 0: no limit.
        package let limit: Int

        package init(organisation: OrganisationKey, used: Int, limit: Int) {
            self.organisation = organisation
            self.used = used
            self.limit = limit
        }
    }

    /// A queue that holds messages and that nobody takes any from: without a consumer, or with one that stands still.
    package struct IdleQueue: Sendable {
        package let name: String
        /// Its messages are for the dead-letter handler.
        package let isForDesk: Bool
        package let waiting: Int
        package let since: Instant
        package let hasConsumer: Bool
        /// Whose writers read it; nil: it is no writers' queue.
        package let organisation: OrganisationKey?

        /// The worker that reads it.
        var reader: String { organisation == nil ? "mapper" : "writer" }

        package init(
            name: String, isForDesk: Bool, waiting: Int, since: Instant, hasConsumer: Bool = false,
            organisation: OrganisationKey? = nil
        ) {
            self.organisation = organisation
            self.name = name
            self.isForDesk = isForDesk
            self.waiting = waiting
            self.since = since
            self.hasConsumer = hasConsumer
        }
    }

    package var groups: [Group] = []
    package var venues: [Venue] = []
    package var openDays: [OpenDay] = []
    package var unclosedDays: [UnclosedDay] = []
    package var connections: [Connection] = []
    package var disconnections: [Disconnection] = []
    package var budgets: [Budget] = []
    /// Organisations whose writers rest as they should: Xero asked for a pause, or the day's calls are used up.
    package var resting: Set<OrganisationKey> = []
    package var idleQueues: [IdleQueue] = []
    /// Until when some dead-letter handler had said it works; nil where none ever did.
    package var handlerSeen: Instant?
    /// Since when this process looks: before, it knows nothing.
    package var watchingSince: Instant
    /// The currency of each organisation.
    package var currencies: [OrganisationKey: String] = [:]
    /// Kinds that could not be looked at this time: what is not seen of them is not gone.
    package var blindTo: Set<AlertKind> = []

    package init(watchingSince: Instant) { self.watchingSince = watchingSince }
}
