// Buttons that ask the browser for a passkey. `data-passkey` says what for; the answer goes into the field `credential`
// of the button's form. allauth's scripts do the rest.
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-passkey]")) {
    const field = (name) => button.form.elements[name]?.id;
    window.allauth.webauthn.forms[`${button.dataset.passkey}Form`]({
      ids: {
        add: button.id,
        authenticate: button.id,
        login: button.id,
        credential: field("credential"),
        passwordless: field("passwordless"),
        data: "passkey-options",
      },
    });
  }
});
