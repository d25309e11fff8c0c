/** A form that is sent once, however often its button is pressed. The server holds to it too. */

/** @param {HTMLFormElement} form */
export default function start(form) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent === 'true') {
      event.preventDefault()
      return
    }
    form.dataset.sent = 'true'
    for (const button of form.querySelectorAll('button[type="submit"]')) {
      button.setAttribute('aria-disabled', 'true')
    }
  })
  // Going back shows the page as it was left; the form must work again.
  window.addEventListener('pageshow', () => {
    delete form.dataset.sent
    for (const button of form.querySelectorAll('button')) button.removeAttribute('aria-disabled')
  })
}
