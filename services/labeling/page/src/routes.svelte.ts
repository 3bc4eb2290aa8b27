// Addresses of the page. Each view has one, so that it can be kept, sent and gone back to.

export type Route =
  | { view: 'queues' }
  | { view: 'label' | 'answers'; projectId: string }
  | { view: 'nowhere' }

/** The route of a path. */
export function routeOf(path: string): Route {
  const [view, projectId, ...rest] = path.split('/').filter(Boolean).map(decodeURIComponent)
  if (view === undefined || (view === 'queues' && projectId === undefined)) return { view: 'queues' }
  const known = view === 'label' || view === 'answers'
  return known && projectId && rest.length === 0 ? { view, projectId } : { view: 'nowhere' }
}

/** The path of a route. */
export const pathTo = (view: 'queues' | 'label' | 'answers', projectId = ''): string =>
  view === 'queues' ? '/' : `/${view}/${encodeURIComponent(projectId)}`

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
