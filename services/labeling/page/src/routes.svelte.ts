// Addresses of the page. Each view has one, so that it can be kept, sent and gone back to.

export type Route =
  | { view: 'queues' }
  | { view: 'label' | 'answers'; projectId: string }
  | { view: 'report'; projectId: string; days: number }
  | { view: 'nowhere' }

const DAYS = 30 // of a report that says no other

/** The route of a path. */
export function routeOf(path: string): Route {
  const [view, projectId, ...rest] = path.split('/').filter(Boolean).map(decodeURIComponent)
  if (view === undefined) return { view: 'queues' }
  if (!projectId || rest.length > 1) return { view: 'nowhere' }
  const days = Number(rest[0] ?? DAYS)
  if (view === 'report' && Number.isInteger(days) && days > 0 && days <= 365) return { view, projectId, days }
  return (view === 'label' || view === 'answers') && rest.length === 0 ? { view, projectId } : { view: 'nowhere' }
}

/** The path of a route. */
export const pathTo = (view: 'label' | 'answers' | 'report', projectId: string, days?: number): string =>
  `/${view}/${encodeURIComponent(projectId)}${days === undefined ? '' : `/${days}`}`

class Address {
  path = $state(location.pathname)
  route = $derived(routeOf(this.path))

  constructor() {
    addEventListener('popstate', () => (this.path = location.pathname))
    addEventListener('click', this.#follow)
  }

  go(path: string): void {
    if (path !== location.pathname) history.pushState(null, '', path)
    this.path = path
  }

  // links of this page change the view without loading it again
  #follow = (event: MouseEvent): void => {
    const link = (event.target as Element | null)?.closest?.('a')
    const elsewhere = !link || link.origin !== location.origin || link.target || event.button !== 0
    if (elsewhere || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return
    event.preventDefault()
    this.go(link.pathname)
  }
}

export const address = new Address()
