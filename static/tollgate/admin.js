// Tables that scroll sideways on a narrow screen can be scrolled by keyboard.
document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll(".inline-group, #changelist-form .results")) box.tabIndex = 0;
});
